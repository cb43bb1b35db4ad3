package serve

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/errgroup"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/serve/scoring"
)

// ScoreResponse answers POST /v1/score, whether for one image or several.
type ScoreResponse struct {
	RequestID string         `json:"request_id"`
	Model     string         `json:"model"`
	Settings  artifact.Score `json:"settings"`
	Results   []Result       `json:"results"` // in the order of the images
	TimeMS    float64        `json:"time_ms"` // from the request's header to this answer
}

// Result is a decision about an image, or the error that prevented it.
type Result struct {
	File string `json:"file,omitempty"` // as the client named it
	*Decision
	Error *Error `json:"error,omitempty"`
}

// Decision has the names that ascood-score gives its columns.
type Decision struct {
	Verdict     artifact.Verdict `json:"verdict"`
	Score       float64          `json:"score"`       // higher is more in-distribution
	Threshold   float64          `json:"threshold"`   // the lowest score of an in-distribution image
	PValue      float64          `json:"p_value"`     // share of known images at least this strange
	Prediction  int              `json:"prediction"`  // index of the most likely class
	Class       string           `json:"class"`       // its name
	Probability float64          `json:"probability"` // and its probability
	StagesMS    Stages           `json:"stages_ms"`
	Explanation *Explanation     `json:"explanation,omitempty"` // if it was asked for
}

// Stages says where an image's time went, in milliseconds.
type Stages struct {
	Waiting   float64 `json:"waiting"`
	Decoding  float64 `json:"decoding"`
	Inference float64 `json:"inference"`
}

// score reads the images, scores them and answers. An image that is wrong does
// not hold up the others: its error stands in its place. The request fails if
// none of its images could be scored, so for a single image the status tells.
func (s *Server) score(c echo.Context) error {
	start := time.Now()
	s.metrics.inFlight.Add(1)
	defer s.metrics.inFlight.Add(-1)
	model, err := modelName(c)
	if err != nil {
		return err
	}
	explained, alone, err := explains(c.Request())
	if err != nil {
		return err
	}
	answer, err := s.answer(c, model, explained)
	if err != nil {
		return err
	}
	if alone {
		if len(answer.Results) != 1 {
			return ascood.Errorf(ascood.Invalid, "%d images: Accept: %s is for the explanation of one", len(answer.Results), mimePNG)
		}
		return answer.Results[0].Explanation.png(c)
	}
	answer.RequestID, answer.TimeMS = requestID(c), milliseconds(time.Since(start))
	return c.JSON(http.StatusOK, answer)
}

// answer reads the images and scores them. Only those that are there in full
// take places in the queue, and nothing is held any more when the answer is written:
// a client that is slow to send or to read keeps no other one out.
func (s *Server) answer(c echo.Context, model string, explained bool) (*ScoreResponse, error) {
	// Refuse before the upload what would be refused after it.
	if err := s.models.Check(model); err != nil {
		return nil, err
	}
	w, r := c.Response().Writer, c.Request()
	if err := s.models.Full(r.Context()); err != nil {
		return nil, err
	}
	body := s.limitBody(w, r)
	defer body.release()
	uploads, err := s.readUploads(w, r)
	if err != nil {
		return nil, err
	}
	c.Set(imagesKey, len(uploads))
	place, err := s.models.Enter(r.Context(), len(uploads))
	if err != nil {
		return nil, err
	}
	answered := false
	defer func() { place.Leave(answered) }()
	v, err := s.models.Acquire(model)
	if err != nil {
		return nil, err
	}
	defer v.Release()
	if explained {
		if err := checkExplain(v); err != nil {
			return nil, err
		}
	}
	results, err := scoreAll(r.Context(), v, uploads, explained)
	if err != nil {
		return nil, err
	}
	answered = true
	return &ScoreResponse{Model: v.Name(), Settings: v.Settings(), Results: results}, nil
}

// scoreAll scores the images side by side. An error that is not an image's own
// ends them all.
func scoreAll(ctx context.Context, v *scoring.Version, uploads []upload, explained bool) ([]Result, error) {
	results := make([]Result, len(uploads))
	imageErrors := make([]error, len(uploads))
	group, ctx := errgroup.WithContext(ctx)
	for i, u := range uploads {
		group.Go(func() error {
			return scoring.Guard(func() error {
				d, err := scoreOne(ctx, v, u.data, explained)
				results[i] = Result{File: u.name, Decision: d}
				if err == nil || !scoring.IsImageError(err) {
					return err
				}
				imageErrors[i] = err
				e := public(err)
				results[i].Error = &e
				return nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return results, allFailed(imageErrors)
}

// allFailed returns the first image's error if every image has one, else nil.
func allFailed(imageErrors []error) error {
	if slices.Contains(imageErrors, nil) {
		return nil
	}
	first := imageErrors[0]
	if len(imageErrors) == 1 {
		return first
	}
	return fmt.Errorf("none of the %d images can be scored; the first: %w", len(imageErrors), first)
}

// scoreOne scores one image file, and explains the score if that is asked for.
func scoreOne(ctx context.Context, v *scoring.Version, file []byte, explained bool) (*Decision, error) {
	r, err := v.Score(ctx, scoring.Image{File: file}, explained)
	if err != nil {
		return nil, err
	}
	var why *Explanation
	if explained {
		if why, err = explain(v, r.Details); err != nil {
			return nil, err
		}
	}
	d := decision(r)
	d.Explanation = why
	return d, nil
}

// decision is a result as clients see it.
func decision(r *scoring.Result) *Decision {
	t := r.Times
	return &Decision{
		Verdict: r.Verdict, Score: r.Score, Threshold: r.Threshold, PValue: r.PValue,
		Prediction: r.Prediction, Class: r.Class, Probability: r.Probability,
		StagesMS: Stages{milliseconds(t.Waiting), milliseconds(t.Decoding), milliseconds(t.Inference)},
	}
}
