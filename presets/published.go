package presets

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

//go:embed published/*.json
var publishedFiles embed.FS

// Published is a table that the authors published of an experiment.
type Published struct {
	Method        string      `json:"method"`        // of the network's training, "ascood" or "ce"
	Postprocessor string      `json:"postprocessor"` // the post-hoc method
	FullSpectrum  bool        `json:"fsood"`         // covariate-shifted images count as in-distribution
	Source        string      `json:"source"`        // where it stands
	Note          string      `json:"note"`          // what else is to be known to come to its numbers
	Rows          [][6]string `json:"rows"`          // name, FPR@95, AUROC, AUPR_IN, AUPR_OUT and ACC, as they stand there
}

// String says what the table is of, as in "scale on ascood".
func (p Published) String() string {
	text := p.Postprocessor + " on " + p.Method
	if p.FullSpectrum {
		text += " (full spectrum)"
	}
	return text
}

// Published returns the published tables of the experiment that are at hand; there
// may be none.
func (p *Preset) Published() ([]Published, error) {
	content, err := publishedFiles.ReadFile(path.Join("published", p.Name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var tables []Published
	if err == nil {
		err = decode(content, &tables)
	}
	if err != nil {
		return nil, fmt.Errorf("published tables of %s: %w", p.Name, err)
	}
	return tables, nil
}
