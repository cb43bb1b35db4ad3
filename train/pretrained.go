package train

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
)

// backbonePrefix is before the names of a network's parameters under the ASCOOD
// head. Pretrained weights mostly come without that head.
const backbonePrefix = "backbone."

// sigma belongs to the ASCOOD head; a run has its own.
const sigma = "sigma"

func plainName(name string) string { return strings.TrimPrefix(name, backbonePrefix) }

// pretrained are weights to start from, under the names of a network with the
// linear head.
type pretrained struct {
	path  string
	state checkpoint.StateDict
}

func openPretrained(path string) (*pretrained, error) {
	c, err := checkpoint.Load(path)
	if err != nil {
		return nil, ascood.In("pretrained", err)
	}
	p := &pretrained{path, checkpoint.StateDict{}}
	for name, t := range c.Model {
		if name != sigma {
			p.state[plainName(name)] = t
		}
	}
	return p, nil
}

// width reads the base width of an architecture off its first convolution, which
// the weights must have. A width that was asked for must be that.
func (p *pretrained) width(c Config) (int, error) {
	g, err := models.New(models.Spec{Arch: c.Arch, Classes: 2, Head: models.HeadLinear})
	if err != nil {
		return 0, err
	}
	stem, ok := p.state[g.Nodes[0].Param("weight")]
	if !ok || len(stem.Shape) != 4 {
		return 0, p.foreign(c.Arch, fmt.Sprintf("no %s of 4 dimensions among %s", g.Nodes[0].Param("weight"), brief(slices.Sorted(maps.Keys(p.state)))))
	}
	width := stem.Shape[0]
	if c.Width != 0 && c.Width != width {
		return 0, ascood.Errorf(ascood.Invalid, "%s %d: the weights of %s %s have width %d; give that or none",
			ascood.Field("width"), c.Width, ascood.Field("pretrained"), p.path, width)
	}
	return width, nil
}

// loading says what of the weights a network has taken over.
type loading struct {
	loaded     int      // tensors
	replaced   []string // of the last layer, whose number of classes differs
	missing    []string // in the file, of those that the network has
	unexpected []string // in the file, of those that the network lacks
}

// into replaces the initial state of a network by the weights. Tensors that the
// file lacks, and the last layer if it is for another number of classes, stay as
// they are. Weights of other shapes are an error.
func (p *pretrained) into(state checkpoint.StateDict, g *models.Graph) (*loading, error) {
	last := g.Nodes[g.Logits-1].Param("")
	report := &loading{}
	rest := maps.Clone(p.state)
	var mismatched []string
	for _, param := range g.Params() {
		if param.Name == sigma {
			continue
		}
		name := plainName(param.Name)
		t, ok := p.state[name]
		delete(rest, name)
		switch {
		case !ok && !param.Integer:
			report.missing = append(report.missing, name)
		case !ok:
		case slices.Equal(t.Shape, param.Shape):
			state[param.Name] = t
			report.loaded++
		case strings.HasPrefix(param.Name, last) && len(t.Shape) == len(param.Shape) && slices.Equal(t.Shape[1:], param.Shape[1:]):
			report.replaced = append(report.replaced, fmt.Sprintf("%s %v by %v", name, t.Shape, param.Shape))
		default:
			mismatched = append(mismatched, fmt.Sprintf("%s is %v, want %v", name, t.Shape, param.Shape))
		}
	}
	report.unexpected = slices.Sorted(maps.Keys(rest))
	if len(mismatched) > 0 {
		return nil, p.foreign(g.Spec.Arch, brief(mismatched))
	}
	return report, nil
}

// foreign is the error of weights that do not fit an architecture; it names the
// one that they do fit.
func (p *pretrained) foreign(arch, why string) error {
	err := ascood.Errorf(ascood.Invalid, "%s %s: the weights are not those of %s: %s", ascood.Field("pretrained"), p.path, arch, why)
	for _, other := range models.Archs() {
		if g, unlike := models.Infer(other, p.state.Shapes()); unlike == nil {
			err = ascood.Errorf(ascood.Invalid, "%w; they are those of %s %s, width %d", err, ascood.Field("arch"), other, g.Spec.Width)
		}
	}
	return err
}

// log tells of the loading.
func (l *loading) log(log *slog.Logger, path string) {
	log.Info("pretrained weights", "file", path, "tensors_loaded", l.loaded, "replaced", brief(l.replaced),
		"missing", brief(l.missing), "unexpected", brief(l.unexpected))
}

// brief lists a few items.
func brief(items []string) string {
	const most = 6
	switch n := len(items); {
	case n == 0:
		return "none"
	case n > most:
		return fmt.Sprintf("%s and %d more", strings.Join(items[:most], ", "), n-most)
	}
	return strings.Join(items, ", ")
}
