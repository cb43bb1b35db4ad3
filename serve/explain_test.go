package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/ioodin"
)

// spotted is a crop-sized image that is black but for one green pixel, where the fake
// model's gradient is largest.
func spotted(t *testing.T) []byte {
	t.Helper()
	img := uniform(image.NewNRGBA(image.Rect(0, 0, side, side)), color.Black)
	img.Set(3, 5, color.NRGBA{0, 200, 0, 255})
	return encodePNG(t, img)
}

func explaining(r *http.Request) *http.Request {
	r.URL.RawQuery = "explain=1"
	return r
}

// TestExplain: the heat map is of the image's own gradient, and one run of the network is
// enough for it.
func TestExplain(t *testing.T) {
	m := &fakeModel{}
	s := newServer(t, m)
	answer := parse[ScoreResponse](t, do(s, explaining(raw(spotted(t)))))
	if !slices.Equal(m.batches, []int{1}) {
		t.Errorf("the batches were %v", m.batches)
	}
	e := answer.Results[0].Explanation
	if e == nil || e.Element == nil || *e.Element != (Element{"green", 3, 5}) {
		t.Fatalf("got %+v", e)
	}
	file, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(e.Image, "data:image/png;base64,"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	scale := img.Bounds().Dx() / side
	at := func(x, y int) color.RGBA {
		return color.RGBAModel.Convert(img.At(x*scale+scale/2, y*scale+scale/2)).(color.RGBA)
	}
	if hot, cold := at(3, 5), at(0, 0); hot.R != 255 || hot.G == hot.R || cold.R != cold.G {
		t.Errorf("the spot is %v, the ground %v", hot, cold)
	}
	r := explaining(raw(spotted(t)))
	r.Header.Set("Accept", "image/png, */*;q=0.1")
	if w := do(s, r); w.Header().Get("Content-Type") != "image/png" || !bytes.Equal(w.Body.Bytes(), file) {
		t.Errorf("asked for the PNG alone: %v, %d bytes", w.Header(), w.Body.Len())
	}
	plain := raw(spotted(t))
	plain.URL.RawQuery = "explain=0"
	if answer := parse[ScoreResponse](t, do(s, plain)); answer.Results[0].Explanation != nil {
		t.Error("explained without being asked")
	}
}

func TestExplainRefuses(t *testing.T) {
	s := newServer(t, &fakeModel{})
	odd := raw(spotted(t))
	odd.URL.RawQuery = "explain=why"
	wantError(t, do(s, odd), http.StatusBadRequest, "invalid")
	two := explaining(form(t, file{"image", "a", spotted(t)}, file{"image", "b", spotted(t)}))
	two.Header.Set("Accept", "image/png")
	wantError(t, do(s, two), http.StatusBadRequest, "invalid")
	wrong := explaining(raw([]byte("text")))
	wrong.Header.Set("Accept", "image/png")
	wantError(t, do(s, wrong), http.StatusUnsupportedMediaType, "unsupported")
	e := wantError(t, do(newServer(t, &plainModel{}), explaining(raw(spotted(t)))), http.StatusUnsupportedMediaType, "unsupported")
	if want := "model fake cannot explain: its file was exported without the output gradient"; e.Message != want {
		t.Errorf("got %q", e.Message)
	}
	partly := form(t, file{"image", "a", spotted(t)}, file{"image", "b", []byte("text")})
	answer := parse[ScoreResponse](t, do(s, explaining(partly)))
	if answer.Results[0].Explanation == nil || answer.Results[1].Error == nil {
		t.Errorf("got %+v", answer)
	}
}

// ownModel is of a file that decides by a score of its own, which in the spotted image
// depends on another pixel than the prediction; it may have no gradient.
type ownModel struct {
	fakeModel
	without bool
}

var ownScore = artifact.Score{Name: "knn", Settings: `{"k":5}`}

func (m *ownModel) Info() artifact.Metadata {
	info := m.fakeModel.Info()
	calibration := *info.Calibration
	info.Score, calibration.Score, info.Calibration = ownScore, ownScore, &calibration
	return info
}

func (m *ownModel) Settings() artifact.Score { return ownScore }

func (m *ownModel) Outputs() []ioodin.Signature {
	outputs := m.fakeModel.Outputs()
	if !m.without {
		outputs = append(outputs, ioodin.Signature{Name: artifact.ScoreGradient, Type: ioodin.Float32, Shape: []int{3, side, side}})
	}
	return outputs
}

func (m *ownModel) Details(ctx context.Context, crops [][]uint8) ([]ioodin.Result, []map[string]ioodin.Output, error) {
	results, outputs, err := m.fakeModel.Details(ctx, crops)
	for i := range outputs {
		g := make([]float32, 3*side*side)
		g[5*side+6] = -1
		outputs[i][artifact.ScoreGradient] = ioodin.Output{Floats: g}
	}
	return results, outputs, err
}

// TestExplainOwnScore: the heat map is of the score's gradient, if there is one, and says
// which it is of; what i-ODIN would move is no part of it.
func TestExplainOwnScore(t *testing.T) {
	for _, without := range []bool{false, true} {
		m := &ownModel{without: without}
		s := newServer(t, m)
		e := parse[ScoreResponse](t, do(s, explaining(raw(spotted(t))))).Results[0].Explanation
		want, hotX := artifact.ExplainsScore, 6
		if without {
			want, hotX = artifact.ExplainsPrediction, 3
		}
		if e.Of != want || (e.Element == nil) == without {
			t.Errorf("explained is the %s, with the element %v; want the %s", e.Of, e.Element, want)
		}
		file, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(e.Image, "data:image/png;base64,"))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []int{3, 6} {
			scale := img.Bounds().Dx() / side
			c := color.RGBAModel.Convert(img.At(x*scale+scale/2, 5*scale+scale/2)).(color.RGBA)
			if hot := c.R == 255; hot != (x == hotX) {
				t.Errorf("pixel %d is %v", x, c)
			}
		}
		if models := parse[ModelsResponse](t, do(s, httptest.NewRequest("GET", "/v1/models", nil))); models.Models[0].Explains != want {
			t.Errorf("the model explains the %s, want the %s", models.Models[0].Explains, want)
		}
		if !slices.Equal(m.batches, []int{1}) {
			t.Errorf("the batches were %v", m.batches)
		}
	}
}

// plainModel is of a file without a gradient.
type plainModel struct{ fakeModel }

func (m *plainModel) Outputs() []ioodin.Signature {
	return []ioodin.Signature{{Name: artifact.Logits, Type: ioodin.Float32, Shape: []int{2}}}
}
