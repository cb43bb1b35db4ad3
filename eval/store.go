package eval

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/metrics"
	"github.com/ascood/ascood/posthoc"
)

// Store keeps what an evaluation finds in files under a folder, so that another
// one, or the same after an interruption, need not find it again:
//
//	features/NAME.safetensors  what methods learn from; see package features
//	scores/METHOD.json         a method's settings, as searched or fitted
//	scores/METHOD/SET.csv      scores; SET.json says what they were computed from
//	scores/METHOD/SET.trials   those of a search that is not over
type Store struct{ Dir string }

// storeVersion is part of every digest. It is to be raised when a score comes out
// differently than before, so that no old one is taken for it.
const storeVersion = "1"

// settingsRecord is what METHOD.json holds.
type settingsRecord struct {
	Inputs   string          `json:"inputs"` // digest of what the settings depend on
	Settings json.RawMessage `json:"settings"`
	Notes    []string        `json:"notes,omitempty"`
	Gaps     bool            `json:"gaps,omitempty"` // images that it would have learnt from could not be loaded
	Trials   []Trial         `json:"trials,omitempty"`
}

// scoresRecord is what SET.json holds.
type scoresRecord struct {
	Inputs string `json:"inputs"`           // digest of all that the scores depend on
	CSV    string `json:"csv"`              // digest of SET.csv
	Broken []int  `json:"broken,omitempty"` // indices of images that could not be loaded and are not in it
}

// trialsRecord is what SET.trials holds.
type trialsRecord struct {
	Inputs string      `json:"inputs"`
	Scores [][]float64 `json:"scores"` // of each of the settings that can be
}

// features returns the path of a set's features.
func (s *Store) features(name string) string {
	return filepath.Join(s.Dir, "features", name+".safetensors")
}

func (s *Store) scores(elements ...string) string {
	return filepath.Join(append([]string{s.Dir, "scores"}, elements...)...)
}

// loadSettings returns a method's settings, if they were found from these inputs.
func (s *Store) loadSettings(method, inputs string) (r settingsRecord, ok bool, err error) {
	ok, err = readRecord(s.scores(method+".json"), &r)
	return r, ok && r.Inputs == inputs, err
}

// saveSettings ends a method's search. gaps says whether images were missing from it.
func (s *Store) saveSettings(method, inputs string, r Result, gaps bool) error {
	if err := writeRecord(s.scores(method+".json"), settingsRecord{inputs, json.RawMessage(r.Settings), r.Notes, gaps, r.Trials}); err != nil {
		return err
	}
	return s.discardTrials(method)
}

// discardTrials removes what is kept of a search, which is over.
func (s *Store) discardTrials(method string) error {
	if err := remove(s.trials(method, validIDName), s.trials(method, validOODName)); err != nil {
		return err
	}
	os.Remove(s.scores(method)) // stays if there is anything else
	return nil
}

func (s *Store) trials(method, set string) string { return s.scores(method, set+".trials") }

// loadTrials returns what saveTrials kept, if it was computed from these inputs;
// else nil.
func (s *Store) loadTrials(method, set, inputs string) ([][]float64, error) {
	var r trialsRecord
	ok, err := readRecord(s.trials(method, set), &r)
	if !ok || r.Inputs != inputs {
		return nil, err
	}
	return r.Scores, nil
}

func (s *Store) saveTrials(method, set, inputs string, scores [][]float64) error {
	if err := writeRecord(s.trials(method, set), trialsRecord{inputs, scores}); err != nil {
		return fmt.Errorf("%s on %s: %w", method, set, err)
	}
	return nil
}

// discard removes a method's settings and scores, which must not be taken for those of the
// evaluation that begins. Those of an unfinished search say themselves what they are of.
func (s *Store) discard(method string) error {
	entries, err := os.ReadDir(s.scores(method))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ascood.Errorf(ascood.Invalid, "stored scores: %w", err)
	}
	for _, entry := range entries {
		set, ok := strings.CutSuffix(entry.Name(), ".json")
		if !ok || entry.IsDir() {
			continue
		}
		var r scoresRecord
		if ours, err := readRecord(s.scores(method, entry.Name()), &r); err != nil || !ours || r.CSV == "" {
			continue // none of ours
		}
		if err := s.discardSet(method, set); err != nil {
			return err
		}
	}
	return remove(s.scores(method + ".json"))
}

// discardSet removes a method's scores of a set.
func (s *Store) discardSet(method, set string) error {
	return remove(s.scores(method, set+".csv"), s.scores(method, set+".json"))
}

// remove removes files, those that are there.
func remove(paths ...string) error {
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return ascood.Errorf(ascood.Invalid, "stored scores: %w", err)
		}
	}
	return nil
}

// loadScores returns the scores of a set's images by a method whose settings have
// the given inputs, if that is what they were computed from; else nil.
func (s *Store) loadScores(method string, set Set, inputs string) (*Scores, error) {
	var r scoresRecord
	ok, err := readRecord(s.scores(method, set.Name+".json"), &r)
	if !ok || r.Inputs != digestOf(inputs, set.Digest) {
		return nil, err
	}
	content, err := os.ReadFile(s.scores(method, set.Name+".csv"))
	if err != nil || contentDigest(content) != r.CSV {
		return nil, nil
	}
	scores, err := readScores(content)
	if err == nil {
		scores.Broken = r.Broken
	}
	return scores, err
}

// saveScores takes a set without the images that have no scores. It can be interrupted at any point: scores without a statement of what
// they were computed from count as none.
func (s *Store) saveScores(method string, set Set, inDistribution bool, inputs string, scores Scores) error {
	var content bytes.Buffer
	if err := WriteScores(&content, set.Images, inDistribution, scores); err != nil {
		return err
	}
	if err := writeStored(s.scores(method, set.Name+".csv"), content.Bytes()); err != nil {
		return err
	}
	return writeRecord(s.scores(method, set.Name+".json"), scoresRecord{digestOf(inputs, set.Digest), contentDigest(content.Bytes()), scores.Broken})
}

// readRecord reads a JSON file. ok is false if there is none, or another's.
func readRecord(path string, to any) (ok bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, ascood.Errorf(ascood.Invalid, "stored scores: %w", err)
	}
	return json.Unmarshal(text, to) == nil, nil
}

func writeRecord(path string, r any) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return writeStored(path, append(text, '\n'))
}

// writeStored writes a file and makes the folders that it is in.
func writeStored(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return ascood.Errorf(ascood.Invalid, "store scores: %w", err)
	}
	if err := atomicfile.WriteFile(path, content); err != nil {
		return ascood.Errorf(ascood.Invalid, "store scores: %w", err)
	}
	return nil
}

// WriteScores writes a line for each image. Whatever labels images have that are
// out of distribution, they are not the network's: theirs is -1.
func WriteScores(w io.Writer, d dataset.Dataset, inDistribution bool, s Scores) error {
	c := csv.NewWriter(w)
	c.Write([]string{"image", "label", "prediction", "score"})
	for i, v := range s.Values {
		label := dataset.Unlabelled
		if inDistribution {
			label = d.Label(i)
		}
		c.Write([]string{d.Name(i), strconv.Itoa(label), strconv.Itoa(s.Predictions[i]), metrics.Number(v)})
	}
	c.Flush()
	return c.Error()
}

// readScores reads what WriteScores wrote.
func readScores(content []byte) (*Scores, error) {
	rows := csv.NewReader(bytes.NewReader(content))
	rows.ReuseRecord = true
	if _, err := rows.Read(); err != nil { // the header
		return nil, fmt.Errorf("stored scores: %w", err)
	}
	s := &Scores{}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return nil, fmt.Errorf("stored scores: %w", err)
		}
		prediction, err := strconv.Atoi(row[2])
		if err != nil {
			return nil, fmt.Errorf("stored scores: %w", err)
		}
		v, err := strconv.ParseFloat(row[3], 64)
		if err != nil {
			return nil, fmt.Errorf("stored scores: %w", err)
		}
		s.Values, s.Predictions = append(s.Values, v), append(s.Predictions, prediction)
	}
}

func contentDigest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// digestOf identifies a sequence of texts.
func digestOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d %s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// inputs is the digest of what a choice's settings and fit depend on.
func (e *Evaluation) inputs(c Choice) (string, error) {
	parts := []string{storeVersion, e.Network.digest, c.Name}
	candidates := c.tried()
	if c.Search {
		parts = append(parts, "search", e.ValidID.Digest, e.ValidOOD.Digest)
	}
	if combined, ok := c.Entry.Method.(*posthoc.Combined); ok {
		parts = append(parts, string(combined.Rule))
	}
	if e.ReferencePrecision && slices.ContainsFunc(candidates, posthoc.UseReferencePrecision) {
		parts = append(parts, "float32")
	}
	for _, m := range candidates {
		settings, err := posthoc.Settings(m)
		if err != nil {
			return "", err
		}
		parts = append(parts, settings)
	}
	needs := c.Needs()
	if needs.Train {
		parts = append(parts, e.Train.Digest)
	}
	if needs.ValidID {
		parts = append(parts, e.ValidID.Digest)
	}
	return digestOf(parts...), nil
}
