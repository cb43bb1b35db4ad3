package train

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/weights"
)

// backbonePrefix is before the names of a network's parameters under the ASCOOD
// head. Pretrained weights mostly come without that head.
const backbonePrefix = "backbone."

func plainName(name string) string { return strings.TrimPrefix(name, backbonePrefix) }

// pretrained are weights to start from, under the names of a network with the
// linear head.
type pretrained struct {
	path  string
	found *weights.Network
	state checkpoint.StateDict
}

// openPretrained finds the backbone of the run's architecture in its file. The
// backbone is whole, and of finite numbers.
func openPretrained(c Config) (*pretrained, error) {
	file, err := checkpoint.Open(c.Pretrained)
	if err != nil {
		return nil, ascood.In("pretrained", err)
	}
	found, err := weights.Find(file, weights.Options{Arch: c.Arch, Key: c.StateDict, Backbone: true})
	if err != nil {
		return nil, ascood.Errorf(ascood.CodeOf(err), "%s %s: %w", ascood.Field("pretrained"), c.Pretrained, err)
	}
	p := &pretrained{c.Pretrained, found, checkpoint.StateDict{}}
	for name, t := range found.State {
		if name != models.Sigma {
			p.state[plainName(name)] = t
		}
	}
	return p, nil
}

// width returns the base width of the weights. A width that was asked for must be
// that.
func (p *pretrained) width(c Config) (int, error) {
	width := p.found.Spec.Width
	if c.Width != 0 && c.Width != width {
		return 0, ascood.Errorf(ascood.Invalid, "%s %d: the weights of %s %s have width %d; give that or none",
			ascood.Field("width"), c.Width, ascood.Field("pretrained"), p.path, width)
	}
	return width, nil
}

// loading says what of the weights a network has taken over.
type loading struct {
	loaded   int      // tensors
	replaced []string // of the last layer, whose number of classes differs
	missing  []string // of the last layer, if the file has none
	unfit    []string // in the file, beside the backbone
}

// into replaces the initial state of a network by the weights. The last layer stays as
// it is if the file has none, or one for another number of classes.
func (p *pretrained) into(state checkpoint.StateDict, g *models.Network) *loading {
	report := &loading{unfit: p.found.Unfit}
	for _, param := range g.Params {
		if param.Integer || param.Name == models.Sigma || param.Name == models.Tau {
			continue
		}
		name := plainName(param.Name)
		t, ok := p.state[name]
		switch {
		case !ok:
			report.missing = append(report.missing, name)
		case slices.Equal(t.Shape, param.Shape):
			state[param.Name] = t
			report.loaded++
		default:
			report.replaced = append(report.replaced, fmt.Sprintf("%s %v by %v", name, t.Shape, param.Shape))
		}
	}
	return report
}

// log tells of the loading, and warns of a last layer that is not there.
func (l *loading) log(log *slog.Logger, p *pretrained) {
	log.Info("pretrained weights", "file", p.path, "tensors_loaded", l.loaded, "replaced", weights.Brief(l.replaced))
	for _, note := range p.found.Notes {
		log.Info("pretrained weights", "taken", note)
	}
	if len(l.missing)+len(l.unfit) > 0 {
		log.Warn("pretrained weights without a last layer: a new one is trained", "missing", weights.Brief(l.missing), "not_taken", weights.Brief(l.unfit))
	}
}
