package serve

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/serve/heatmap"
	"github.com/ascood/ascood/serve/scoring"
)

// Explanation shows on what in the image the verdict depends.
type Explanation struct {
	Image string `json:"image"` // data URI of a PNG: the crop in gray, under red where the gradient is large
	// What that is the gradient of.
	Of      artifact.Explained `json:"of"`
	Element *Element           `json:"element,omitempty"` // that has the largest gradient, in a ring: the one that i-ODIN moves
}

// Element is one channel of one pixel of the crop.
type Element struct {
	Channel string `json:"channel"`
	X       int    `json:"x"`
	Y       int    `json:"y"`
}

var channels = [3]string{"red", "green", "blue"}

// explainParam is the query parameter that asks for explanations.
const explainParam = "explain"

const mimePNG = "image/png"

// explains reports whether a request asks for explanations, and for one alone, as a PNG.
func explains(r *http.Request) (explained, alone bool, err error) {
	value := r.URL.Query().Get(explainParam)
	if value == "" {
		return false, false, nil
	}
	if explained, err = strconv.ParseBool(value); err != nil {
		return false, false, ascood.Errorf(ascood.Invalid, "%s=%.20q: want 1 or 0", explainParam, value)
	}
	return explained, explained && strings.HasPrefix(r.Header.Get(echo.HeaderAccept), mimePNG), nil
}

// explainedBy returns the output that explains a model's verdicts, and what that is the
// gradient of.
func explainedBy(v *scoring.Version) (output string, of artifact.Explained) {
	var outputs []string
	for _, s := range v.Outputs() {
		outputs = append(outputs, s.Name)
	}
	info := v.Info()
	return info.Explains(v.Settings(), outputs)
}

// checkExplain returns an error if a model's file has no gradient.
func checkExplain(v *scoring.Version) error {
	if output, _ := explainedBy(v); output != "" {
		return nil
	}
	return ascood.Errorf(ascood.Unsupported, "model %s cannot explain: its file was exported without the output %s", v.Name(), artifact.Gradient)
}

// explain draws the heat map of a result that has details.
func explain(v *scoring.Version, d *scoring.Details) (*Explanation, error) {
	output, of := explainedBy(v)
	m := heatmap.Map{Size: v.Info().Preprocess.ImageSize, Crop: d.Crop, Gradient: d.Outputs[output].Floats, Marked: -1}
	e := &Explanation{Of: of}
	if index := d.Outputs[artifact.Index].Ints; len(index) == 1 && output == artifact.Gradient {
		m.Marked = int(index[0])
		channel, x, y := m.Element()
		e.Element = &Element{channels[channel], x, y}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, m.Draw()); err != nil {
		return nil, err
	}
	e.Image = dataURI + base64.StdEncoding.EncodeToString(file.Bytes())
	return e, nil
}

const dataURI = "data:" + mimePNG + ";base64,"

// png answers with the heat map of the only result.
func (e *Explanation) png(c echo.Context) error {
	file, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(e.Image, dataURI))
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, mimePNG, file)
}
