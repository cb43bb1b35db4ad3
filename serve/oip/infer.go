package oip

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/serve/scoring"
)

// Infer answers a request to a model of that name, for up to maxImages images. As the
// protocol has no place for the error of one image of several, the first one fails the
// request.
func Infer(ctx context.Context, models *scoring.Models, model string, r *Request, maxImages int) (*Response, error) {
	v, err := models.Acquire(model)
	if err != nil {
		return nil, err
	}
	defer v.Release()
	images, err := images(v, r.Inputs, maxImages)
	if err != nil {
		return nil, err
	}
	wanted, err := wanted(v, r.Outputs)
	if err != nil {
		return nil, err
	}
	place, err := models.Enter(ctx, len(images))
	if err != nil {
		return nil, err
	}
	results, err := score(ctx, v, images, slices.ContainsFunc(wanted, needsDetails))
	place.Leave(err == nil)
	if err != nil {
		return nil, err
	}
	response := &Response{Model: v.Name(), Version: Version, ID: r.ID}
	for _, w := range wanted {
		response.Outputs = append(response.Outputs, collect(w, results))
	}
	return response, nil
}

// score scores the images side by side.
func score(ctx context.Context, v *scoring.Version, images []scoring.Image, details bool) ([]*scoring.Result, error) {
	results := make([]*scoring.Result, len(images))
	group, ctx := errgroup.WithContext(ctx)
	for i, image := range images {
		group.Go(func() error {
			return scoring.Guard(func() (err error) {
				results[i], err = v.Score(ctx, image, details)
				if len(images) > 1 && scoring.IsImageError(err) {
					err = ascood.Errorf(ascood.CodeOf(err), "image %d: %w", i, err)
				}
				return err
			})
		})
	}
	return results, group.Wait()
}

// images takes the images out of the inputs.
func images(v *scoring.Version, inputs []Tensor, most int) ([]scoring.Image, error) {
	if len(inputs) != 1 {
		return nil, ascood.Errorf(ascood.Invalid, "%d inputs: want one, %q or %q", len(inputs), ImageInput, PixelsInput)
	}
	in := inputs[0]
	i := slices.IndexFunc(Describe(v).Inputs, func(m TensorMetadata) bool { return m.Name == in.Name })
	if i < 0 {
		return nil, ascood.Errorf(ascood.Invalid, "unknown input %.50q: want %q or %q", in.Name, ImageInput, PixelsInput)
	}
	if want := Describe(v).Inputs[i]; in.Type != want.Type || !fits(in.Shape, want.Shape) {
		return nil, ascood.Errorf(ascood.Invalid, "input %s is %.20s %v: want %s %v, -1 for the number of images", in.Name, in.Type, in.Shape, want.Type, want.Shape)
	}
	n := in.Shape[0]
	switch {
	case n < 1:
		return nil, ascood.Errorf(ascood.Invalid, "input %s has %d images: want at least one", in.Name, n)
	case n > int64(most):
		return nil, ascood.Errorf(ascood.TooLarge, "input %s has %d images, more than %d, the limit for one request", in.Name, n, most)
	}
	all := make([]scoring.Image, n)
	switch data := in.Data.(type) {
	case [][]byte:
		for i := range all {
			all[i].File = data[i]
		}
	case []uint8:
		each := len(data) / len(all)
		for i := range all {
			all[i].Crop = data[i*each : (i+1)*each]
		}
	}
	return all, nil
}

// fits reports whether a shape is as described.
func fits(shape, described []int64) bool {
	return slices.EqualFunc(shape, described, func(d, want int64) bool { return want < 0 || d == want })
}

// wanted describes the outputs that are asked for.
func wanted(v *scoring.Version, names []string) ([]TensorMetadata, error) {
	known := Describe(v).Outputs
	if len(names) == 0 {
		return known, nil
	}
	var all []TensorMetadata
	for _, name := range names {
		i := slices.IndexFunc(known, func(m TensorMetadata) bool { return m.Name == name })
		if i < 0 {
			var has []string
			for _, m := range known {
				has = append(has, m.Name)
			}
			return nil, ascood.Errorf(ascood.Invalid, "unknown output %.50q: model %s has %s", name, v.Name(), strings.Join(has, ", "))
		}
		all = append(all, known[i])
	}
	return all, nil
}

// needsDetails reports whether an output is not known without asking for details.
func needsDetails(m TensorMetadata) bool { return !slices.Contains(verdictOutputs, m.Name) }

// collect makes a tensor of what the results say.
func collect(m TensorMetadata, results []*scoring.Result) Tensor {
	t := Tensor{m.Name, m.Type, slices.Clone(m.Shape), nil}
	t.Shape[0] = int64(len(results))
	switch m.Name {
	case VerdictOutput:
		t.Data = each(results, func(r *scoring.Result) []byte { return []byte(r.Verdict) })
	case ClassOutput:
		t.Data = each(results, func(r *scoring.Result) []byte { return []byte(r.Class) })
	case PValueOutput:
		t.Data = each(results, func(r *scoring.Result) float64 { return r.PValue })
	case ScoreOutput:
		t.Data = each(results, func(r *scoring.Result) float64 { return r.Score })
	case ProbabilityOutput:
		t.Data = each(results, func(r *scoring.Result) float64 { return r.Probability })
	case artifact.Prediction:
		t.Data = each(results, func(r *scoring.Result) int64 { return int64(r.Prediction) })
	default:
		t.Data = further(m, results)
	}
	return t
}

// further is the data of an output of the artifact.
func further(m TensorMetadata, results []*scoring.Result) any {
	switch m.Type {
	case Int64:
		return join(results, func(r *scoring.Result) []int64 { return r.Details.Outputs[m.Name].Ints })
	case FP64:
		return join(results, func(r *scoring.Result) []float64 { return r.Details.Outputs[m.Name].Doubles })
	}
	return join(results, func(r *scoring.Result) []float32 { return r.Details.Outputs[m.Name].Floats })
}

func each[T any](results []*scoring.Result, of func(*scoring.Result) T) []T {
	all := make([]T, len(results))
	for i, r := range results {
		all[i] = of(r)
	}
	return all
}

func join[T any](results []*scoring.Result, of func(*scoring.Result) []T) []T {
	var all []T
	for _, r := range results {
		all = append(all, of(r)...)
	}
	return all
}
