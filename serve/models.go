package serve

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/serve/scoring"
)

// modelParam is the part of a path that names a model.
const modelParam = "model"

// modelName returns the name of the model that a request is for, "" for the default.
func modelName(c echo.Context) (string, error) {
	if !slices.Contains(c.ParamNames(), modelParam) {
		return "", nil
	}
	name := c.Param(modelParam)
	if c.Request().URL.RawPath != "" { // the router has looked at the path as it was sent
		if plain, err := url.PathUnescape(name); err == nil {
			name = plain
		}
	}
	if name == "" {
		return "", ascood.Errorf(scoring.NotFound, "no such model: the path names none")
	}
	return name, nil
}

// ModelsResponse answers GET /v1/models.
type ModelsResponse struct {
	Models []ModelInfo `json:"models"`
	Keeps  string      `json:"keeps,omitempty"` // which images are kept for people to look at, in words; none by default
}

// ModelInfo says what is served under a name.
type ModelInfo struct {
	Name    string `json:"name"`
	Default bool   `json:"default"` // that POST /v1/score asks
	*Description
	Refused string `json:"refused,omitempty"` // why the file, as it is now, is not what is served
}

// Description describes a model as it is served.
type Description struct {
	Arch        string             `json:"arch"`
	Width       int                `json:"width"`
	Head        string             `json:"head"`
	Classes     []string           `json:"classes"`
	Preprocess  preprocess.Config  `json:"preprocess"`
	Settings    artifact.Score     `json:"settings"`
	Explains    artifact.Explained `json:"explains,omitempty"` // what explanations show the gradient of: the score, or else the prediction; none without a gradient
	Calibration CalibrationInfo    `json:"calibration"`
	Device      string             `json:"device"`
	SHA256      string             `json:"weights_sha256"`
	Limits      Limits             `json:"limits"`
}

// CalibrationInfo says what a verdict rests on.
type CalibrationInfo struct {
	Samples   int     `json:"samples"`
	TPR       float64 `json:"tpr"`
	Threshold float64 `json:"threshold"`
}

// Limits are those of the requests that score images.
type Limits struct {
	Body   int64 `json:"body_bytes"`
	Pixels int   `json:"image_pixels"`
	Images int   `json:"images"`
}

// listModels describes the models that are served.
func (s *Server) listModels(c echo.Context) error {
	answer := ModelsResponse{[]ModelInfo{}, s.keeps()}
	for _, status := range s.models.List() {
		info := ModelInfo{Name: status.Name, Default: status.Default, Refused: status.Refused}
		if status.Serving != nil {
			info.Description = s.describe(status.Serving)
		}
		answer.Models = append(answer.Models, info)
	}
	return c.JSON(http.StatusOK, answer)
}

// describe leaves out what the metadata says of files: clients need not know the
// server's paths.
func (s *Server) describe(v *scoring.Version) *Description {
	m, calibration := v.Info(), v.Calibration()
	_, explains := explainedBy(v)
	return &Description{
		Arch: m.Arch, Width: m.Width, Head: m.Head, Classes: m.Classes,
		Preprocess: m.Preprocess, Settings: v.Settings(), Explains: explains,
		Calibration: CalibrationInfo{calibration.Samples, calibration.TPR, calibration.Threshold},
		Device:      v.Device().String(), SHA256: m.Source.SHA256,
		Limits: Limits{s.config.MaxBody, s.config.MaxPixels, s.config.MaxImages},
	}
}
