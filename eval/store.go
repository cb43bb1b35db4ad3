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
	"github.com/ascood/ascood/eval/posthoc"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/preprocess"
)

// Store keeps scores in files, METHOD/SET.csv under a folder, so that another
// evaluation need not compute them again. Beside each stands SET.json, which says
// what they were computed from.
type Store struct{ Dir string }

// origin is what SET.json holds.
type origin struct {
	Inputs   string          `json:"inputs"`   // digest of all that the scores depend on
	CSV      string          `json:"csv"`      // digest of SET.csv
	Settings json.RawMessage `json:"settings"` // of the method, as found
	Trials   []Trial         `json:"trials,omitempty"`
}

// load returns the scores of a set's images by a method, if they were computed
// from these inputs; else nil.
func (s *Store) load(method string, set Set, inputs string) (*posthoc.Scores, origin, error) {
	var from origin
	text, err := os.ReadFile(s.path(method, set.Name, ".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, from, nil
	}
	if err != nil {
		return nil, from, ascood.Errorf(ascood.Invalid, "stored scores: %w", err)
	}
	if err := json.Unmarshal(text, &from); err != nil || from.Inputs != inputs {
		return nil, from, nil
	}
	content, err := os.ReadFile(s.path(method, set.Name, ".csv"))
	if err != nil || digestOf(content) != from.CSV {
		return nil, from, nil
	}
	scores, err := readScores(content)
	return scores, from, err
}

// save writes scores. It can be interrupted at any point: scores without a
// statement of their origin count as none.
func (s *Store) save(method string, set Set, from origin, scores posthoc.Scores) error {
	var content bytes.Buffer
	if err := WriteScores(&content, set.Images, scores); err != nil {
		return err
	}
	from.CSV = digestOf(content.Bytes())
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.Dir, method), 0o755); err != nil {
		return ascood.Errorf(ascood.Invalid, "store scores: %w", err)
	}
	for _, file := range []struct {
		extension string
		content   []byte
	}{{".csv", content.Bytes()}, {".json", append(text, '\n')}} {
		if err := atomicfile.WriteFile(s.path(method, set.Name, file.extension), file.content); err != nil {
			return ascood.Errorf(ascood.Invalid, "store scores: %w", err)
		}
	}
	return nil
}

func (s *Store) path(method, set, extension string) string {
	return filepath.Join(s.Dir, method, set+extension)
}

// WriteScores writes a line for each image.
func WriteScores(w io.Writer, d preprocess.Dataset, s posthoc.Scores) error {
	c := csv.NewWriter(w)
	c.Write([]string{"image", "label", "prediction", "score"})
	for i, v := range s.Values {
		c.Write([]string{d.Name(i), strconv.Itoa(d.Label(i)), strconv.Itoa(s.Predictions[i]), number(v)})
	}
	c.Flush()
	return c.Error()
}

// readScores reads what WriteScores wrote.
func readScores(content []byte) (*posthoc.Scores, error) {
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("stored scores: %w", err)
	}
	s := &posthoc.Scores{}
	for _, row := range rows[1:] {
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
	return s, nil
}

// Digest identifies a dataset by the names and labels of its images and, if they
// were opened from a file (a list or an IDX file), by that file's content.
// Changes of image files that a list names are not seen.
func Digest(path string, d preprocess.Dataset) (string, error) {
	h := sha256.New()
	for i := range d.Len() {
		fmt.Fprintln(h, d.Name(i), d.Label(i))
	}
	file := path
	if _, err := os.Stat(file); err != nil {
		file = path[:max(0, strings.LastIndexByte(path, '['))] // without the suffix that picks a run
	}
	if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		if _, err := io.Copy(h, f); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// inputs is the digest of what a choice's scores of a set depend on.
func (e *Evaluation) inputs(c Choice, s Set) (string, error) {
	settings, err := posthoc.Settings(c.Method.Method)
	if err != nil {
		return "", err
	}
	parts := []string{e.Network.digest, s.Digest, c.Name}
	if c.Search {
		parts = append(parts, "search", e.ValidID.Digest, e.ValidOOD.Digest)
	} else {
		parts = append(parts, settings)
	}
	if needs := c.Needs(); needs.Train || needs.ValidID {
		parts = slices.Concat(parts, []string{e.Train.Digest, e.ValidID.Digest})
	}
	return digestOf([]byte(strings.Join(parts, "\n"))), nil
}
