package serve

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve/oip"
)

// The Open Inference Protocol, version 2, for clients of other servers.

// lengthHeader says how much of a body is JSON, where binary data follows it.
const lengthHeader = "Inference-Header-Content-Length"

// versionParam is the part of a path that names the version of a model.
const versionParam = "version"

func (s *Server) v2Routes(get, post func(path string, handler echo.HandlerFunc)) {
	get("/v2", s.v2Server)
	get("/v2/", s.v2Server)
	get("/v2/health/live", func(c echo.Context) error { return c.JSON(http.StatusOK, map[string]bool{"live": true}) })
	get("/v2/health/ready", s.v2Ready)
	const model = "/v2/models/:" + modelParam
	for _, path := range []string{model, model + "/versions/:" + versionParam} {
		get(path, s.v2Model)
		get(path+"/ready", s.v2ModelReady)
		post(path+"/infer", s.v2Infer)
	}
}

// v2Error is how the protocol tells errors.
type v2Error struct {
	Error string `json:"error"`
}

func (s *Server) v2Server(c echo.Context) error { return c.JSON(http.StatusOK, oip.Server()) }

func (s *Server) v2Ready(c echo.Context) error {
	if err := s.isReady(); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]bool{"ready": true})
}

// v2ModelName returns the model's name, having looked at the version.
func v2ModelName(c echo.Context) (string, error) {
	name, err := modelName(c)
	if err == nil {
		err = oip.CheckVersion(name, c.Param(versionParam))
	}
	return name, err
}

func (s *Server) v2Model(c echo.Context) error {
	name, err := v2ModelName(c)
	if err != nil {
		return err
	}
	v, err := s.models.Acquire(name)
	if err != nil {
		return err
	}
	defer v.Release()
	return c.JSON(http.StatusOK, oip.Describe(v))
}

// ModelReady answers GET /v2/models/NAME/ready.
type ModelReady struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
}

func (s *Server) v2ModelReady(c echo.Context) error {
	name, err := v2ModelName(c)
	if err != nil {
		return err
	}
	if err := s.models.ModelReady(name); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, ModelReady{name, true})
}

// v2Infer answers a request with images, in JSON or with binary data behind it.
func (s *Server) v2Infer(c echo.Context) error {
	start := time.Now()
	s.metrics.inFlight.Add(1)
	defer s.metrics.inFlight.Add(-1)
	name, err := v2ModelName(c)
	if err != nil {
		return err
	}
	response, form, err := s.infer(c, name)
	if err != nil {
		return err
	}
	body, length, err := response.Marshal(form)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Server-Timing", "total;dur="+strconv.FormatFloat(milliseconds(time.Since(start)), 'f', -1, 64))
	if length == len(body) {
		return c.JSONBlob(http.StatusOK, body)
	}
	c.Response().Header().Set(lengthHeader, strconv.Itoa(length))
	return c.Blob(http.StatusOK, echo.MIMEOctetStream, body)
}

// infer reads the request and answers it. As for images alone, nothing is held any more
// when the answer is written.
func (s *Server) infer(c echo.Context, model string) (*oip.Response, oip.Form, error) {
	var form oip.Form
	w, r := c.Response().Writer, c.Request()
	if err := s.models.Check(model); err != nil {
		return nil, form, err
	}
	if err := s.models.Full(r.Context()); err != nil {
		return nil, form, err
	}
	body := s.limitBody(w, r)
	defer body.release()
	data, err := s.readBody(w, r)
	if err != nil {
		return nil, form, err
	}
	length := len(data)
	if header := r.Header.Get(lengthHeader); header != "" {
		if length, err = strconv.Atoi(header); err != nil {
			return nil, form, ascood.Errorf(ascood.Invalid, "%s %.20q: want a number of bytes", lengthHeader, header)
		}
	}
	request, form, err := oip.ParseRequest(data, length)
	if err != nil {
		return nil, form, err
	}
	response, err := oip.Infer(r.Context(), s.models, model, request, s.config.MaxImages)
	if err == nil {
		c.Set(imagesKey, int(request.Inputs[0].Shape[0]))
	}
	return response, form, err
}
