package serve

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood/serve/drift"
	"github.com/ascood/ascood/serve/scoring"
)

// DriftResponse answers GET /v1/drift.
type DriftResponse struct {
	Window int          `json:"window"`      // images of a test
	Age    float64      `json:"age_seconds"` // of the oldest image of a report
	Level  float64      `json:"level"`       // probability of an alarm in a window without drift
	Models []ModelDrift `json:"models"`
}

// ModelDrift says whether a model's images are still like those of its calibration.
type ModelDrift struct {
	Model    string  `json:"model"`
	Expected float64 `json:"expected_out_of_distribution"` // share of them without drift
	drift.Report
	Classes map[string]int     `json:"predictions"`                    // images by the name of their most likely class; those that occur
	Known   map[string]float64 `json:"expected_predictions,omitempty"` // share of each class in the calibration; none of a calibration that does not say
}

// driftReport describes the images of the last while, by model.
func (s *Server) driftReport(c echo.Context) error {
	config := s.config.Drift
	answer := DriftResponse{config.Window, config.Age.Seconds(), config.Level, []ModelDrift{}}
	for _, status := range s.models.List() {
		if status.Serving != nil {
			answer.Models = append(answer.Models, describeDrift(status.Serving))
		}
	}
	return c.JSON(http.StatusOK, answer)
}

func describeDrift(v *scoring.Version) ModelDrift {
	d := ModelDrift{Model: v.Name(), Expected: 1 - v.Calibration().TPR, Report: v.Drift(), Classes: map[string]int{}}
	d.Since = d.Since.Round(time.Second)
	classes := v.Info().Classes
	for i, images := range d.Report.Classes {
		if images > 0 {
			d.Classes[classes[i]] += images
		}
	}
	for i, images := range v.Calibration().Classes {
		if d.Known == nil {
			d.Known = map[string]float64{}
		}
		d.Known[classes[i]] += float64(images) / float64(v.Calibration().Samples)
	}
	return d
}
