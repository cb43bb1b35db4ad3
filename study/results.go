package study

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/metrics"
)

// Names of sets in the scores that ascood-eval keeps.
const (
	idSet         = "id"
	validationSet = "validation" // OOD validation images, for a candidate of a search
)

// results are what an evaluation comes to.
type results struct {
	Scores []scoreResults `json:"scores"`
}

// scoreResults are those of a post-hoc method.
type scoreResults struct {
	Score    string                         `json:"score"`
	Settings json.RawMessage                `json:"settings"`
	Rows     []metrics.Row                  `json:"rows"`   // as OpenOOD's tables have them
	Curves   map[string][]metrics.Operation `json:"curves"` // by the OOD set
}

// row is a score's result on a set, or its mean over several.
func (r *results) row(score, name string) (metrics.Row, bool) {
	for _, s := range r.Scores {
		if s.Score != score {
			continue
		}
		if at := slices.IndexFunc(s.Rows, func(row metrics.Row) bool { return row.Name == name }); at >= 0 {
			return s.Rows[at], true
		}
	}
	return metrics.Row{}, false
}

// results are those of a part that is done.
func (p *Part) results() (*results, error) {
	content, err := os.ReadFile(p.path(resultsFile))
	r := &results{}
	if err == nil {
		err = json.Unmarshal(content, r)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name(), err)
	}
	return r, nil
}

// results are those of a part that is done, read once.
func (s *Study) results(p *Part) (*results, error) {
	if known, ok := s.read[p.Digest]; ok {
		return known, nil
	}
	r, err := p.results()
	if err == nil {
		s.read[p.Digest] = r
	}
	return r, err
}

// conclude computes the results from the scores that ascood-eval has kept.
func (p *Part) conclude() error {
	near, far, farExtra := p.groups()
	r := results{}
	for _, score := range p.scores {
		all := scoreResults{Score: score, Curves: map[string][]metrics.Operation{}}
		id, correct, err := p.readScores(score, idSet)
		if err != nil {
			return err
		}
		rows := func(names []string) (rows []metrics.Row) {
			for _, name := range names {
				ood, _, failed := p.readScores(score, name)
				m, wrong := metrics.Metrics{}, failed
				if failed == nil {
					m, wrong = metrics.Compute(id, ood, correct)
					slices.Sort(ood)
					all.Curves[name] = metrics.Curve(slices.Sorted(slices.Values(id)), ood)
				}
				err = errors.Join(err, wrong)
				rows = append(rows, metrics.Row{Name: name, Metrics: m})
			}
			return rows
		}
		all.Rows = metrics.Groups{Near: rows(near), Far: rows(far), FarExtra: rows(farExtra)}.Table()
		if err != nil {
			return err
		}
		if all.Settings, err = p.settings(score); err != nil {
			return err
		}
		r.Scores = append(r.Scores, all)
	}
	content, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(p.path(resultsFile), append(content, '\n'))
}

// groups are the names of the OOD sets of an evaluation.
func (p *Part) groups() (near, far, farExtra []string) {
	if p.Kind == Validate {
		return nil, []string{validationSet}, nil
	}
	names := func(sets []namedImages) (names []string) {
		for _, s := range sets {
			names = append(names, s.name)
		}
		return names
	}
	return names(p.source.near), names(p.source.far), names(p.source.farExtra)
}

// readScores reads the scores of a set, and how many predictions are right.
func (p *Part) readScores(score, set string) (values []float64, correct int, err error) {
	path := filepath.Join(p.folder, "scores", score, set+".csv")
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	rows := csv.NewReader(f)
	rows.ReuseRecord = true
	if _, err := rows.Read(); err != nil { // the header
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return values, correct, nil
		}
		var v float64
		if err == nil {
			v, err = strconv.ParseFloat(row[3], 64) // image, label, prediction, score
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", path, err)
		}
		values = append(values, v)
		if row[1] == row[2] {
			correct++
		}
	}
}

// settings are a score's, as given or as its search has found them.
func (p *Part) settings(score string) (json.RawMessage, error) {
	content, err := os.ReadFile(p.path(score + ".json"))
	if err != nil {
		return nil, err
	}
	var of struct {
		Settings json.RawMessage `json:"settings"`
	}
	err = json.Unmarshal(content, &of)
	return of.Settings, err
}
