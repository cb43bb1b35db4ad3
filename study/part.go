package study

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Kind says what a part does.
type Kind string

// Kinds of parts, in their order.
const (
	Train    Kind = "train"    // a network
	Export   Kind = "export"   // it, calibrated on the validation images
	Validate Kind = "validate" // a candidate of a search, on the validation images
	Evaluate Kind = "evaluate" // it, on the test images
)

// Part is a run of a program: what is done once and kept.
type Part struct {
	Kind                  Kind
	Network, Data, Method string // by their names in the plan
	Seed                  uint64
	Candidate             string // the settings that a search tries; "" in the final runs
	Digest                string // of all that its outcome depends on
	Images                int    // that it goes through, for estimates of time

	folder  string // where its files are; parts of other digests may share it
	needs   *Part  // the part whose outcome it takes, nil for none
	from    *Part  // the training that it starts from, nil for none
	scores  []string
	source  *source
	program string
	args    []string // all that is not only a matter of where and how fast
}

// Name is for people.
func (p *Part) Name() string {
	words := []string{string(p.Kind)}
	for _, word := range []string{p.Network, p.Data, p.Method} {
		if word != "" {
			words = append(words, word)
		}
	}
	name := strings.Join(words, ", ")
	if p.Candidate != "" {
		name += " with " + p.Candidate
	}
	return fmt.Sprintf("%s, seed %d", name, p.Seed)
}

// path is a file of the part's.
func (p *Part) path(name string) string { return filepath.Join(p.folder, name) }

// Files in the folder of a part, besides those of the programs.
const (
	doneFile    = "done.json"
	spentFile   = "spent.json"
	logFile     = "log.txt"
	resultsFile = "results.json"
	runFolder   = "run"
	modelFile   = "model.onnx"
)

// done is what doneFile holds.
type done struct {
	Digest   string    `json:"digest"`
	Part     string    `json:"part"`
	Seconds  float64   `json:"seconds"`
	Images   int       `json:"images"`
	Version  string    `json:"version"` // of the programs
	Finished time.Time `json:"finished"`
}

// digestOf identifies what can be written as JSON.
func digestOf(v any) string {
	content, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings, numbers and maps of them
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// short is how much of a digest names a folder.
const short = 16
