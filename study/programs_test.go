package study

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/ascood/ascood/checkpoint"
)

// programs stand for the real ones: they leave the files that a study reads, whose content
// depends on the arguments alone.
type programs struct {
	mutex sync.Mutex
	done  map[string]int // by the folder, how often a part was finished
	calls int
	said  []string

	resumed int
	// fail, if not nil, is asked before the end of each call, when files are half there.
	fail func(call int, name string, args []string) error
}

func (p *programs) run(ctx context.Context, name string, args []string, log io.Writer) error {
	if slices.Contains(args, "--print-config") {
		return nil
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.calls++
	output := value(args, "output")
	folder := filepath.Dir(output)
	if name == evalProgram {
		folder = output
	}
	var err error
	switch name {
	case trainProgram:
		if slices.Contains(args, "--resume") {
			p.resumed++
		}
		err = put(filepath.Join(output, "last.safetensors"), strings.Join(args, " "))
	case evalProgram:
		err = put(filepath.Join(output, "scores/half.csv"), "")
	}
	if p.fail != nil && err == nil {
		if err := p.fail(p.calls, name, args); err != nil {
			fmt.Fprintf(log, "%s: %v\nSee %s --help.\n", name, err, name)
			return errors.New("exit status 1")
		}
	}
	switch name {
	case trainProgram:
		err = errors.Join(err, trained(filepath.Join(output, "best.safetensors"), value(args, "method")))
	case exportProgram:
		err = errors.Join(err, put(output, "model"))
	case evalProgram:
		err = errors.Join(err, scores(output, args))
	}
	p.done[folder]++
	return err
}

// trained writes a checkpoint that says what scores some methods are published with.
func trained(path, method string) error {
	saying := cmp.Or(map[string]string{"mixoe": `{"score": {"method": "msp"}}`, "cider": `{"score": {"method": "knn"}}`}[method], "{}")
	c := checkpoint.Checkpoint{Model: checkpoint.StateDict{"w": checkpoint.FromFloat32s([]float32{1}, 1)}, Meta: checkpoint.Meta{Arch: "lenet", Training: json.RawMessage(saying)}}
	return c.Save(path)
}

func value(args []string, flag string) string {
	for _, arg := range args {
		if v, ok := strings.CutPrefix(arg, "--"+flag+"="); ok {
			return v
		}
	}
	return ""
}

func put(path, content string) error {
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600))
}

// scores writes what ascood-eval keeps: OOD images have scores from 0 to 1, and ID images such
// that are higher by an amount that the model decides, wherever the study's folder is.
func scores(output string, args []string) error {
	h := fnv.New32()
	_, model, _ := strings.Cut(value(args, "model"), "/001/") // the test's folder
	h.Write([]byte(model))
	gap := 0.1 + float64(h.Sum32()%1000)/2000
	sets := []string{idSet}
	for _, arg := range args {
		if spec, ok := strings.CutPrefix(arg, "--far="); ok {
			set, _, _ := strings.Cut(spec, "=")
			sets = append(sets, set)
		}
	}
	for score := range strings.SplitSeq(value(args, "postprocessor"), ",") {
		for _, set := range sets {
			text := "image,label,prediction,score\n"
			for i := range 10 {
				v, label := float64(i)/10, -1
				if set == idSet {
					v, label = v+gap, i%2
				}
				text += fmt.Sprintf("%d,%d,0,%g\n", i, label, v)
			}
			if err := put(filepath.Join(output, "scores", score, set+".csv"), text); err != nil {
				return err
			}
		}
		if err := put(filepath.Join(output, score+".json"), `{"settings": {"k": 5}}`); err != nil {
			return err
		}
	}
	return nil
}
