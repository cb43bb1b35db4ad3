package serve

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"net/http"
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

// plainModel is of a file without a gradient.
type plainModel struct{ fakeModel }

func (m *plainModel) Outputs() []ioodin.Signature {
	return []ioodin.Signature{{Name: artifact.Logits, Type: ioodin.Float32, Shape: []int{2}}}
}
