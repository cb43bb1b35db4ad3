// Package rpc is the service of the Open Inference Protocol over gRPC: it turns messages
// into requests to package oip, and their answers into messages. Its errors are those of
// all protocols; what status each has is the server's matter.
package rpc

import (
	"context"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve/inference"
	"github.com/ascood/ascood/serve/oip"
	"github.com/ascood/ascood/serve/scoring"
)

// Service implements the protocol's service.
type Service struct {
	inference.UnimplementedGRPCInferenceServiceServer
	models    *scoring.Models
	maxImages int
	ready     func() error
}

// New returns a service for models, which takes up to maxImages images a request; ready
// says why the server is not, if it is not.
func New(models *scoring.Models, maxImages int, ready func() error) *Service {
	return &Service{models: models, maxImages: maxImages, ready: ready}
}

// ServerLive says that the process answers.
func (s *Service) ServerLive(context.Context, *inference.ServerLiveRequest) (*inference.ServerLiveResponse, error) {
	return &inference.ServerLiveResponse{Live: true}, nil
}

// ServerReady says whether to send requests here.
func (s *Service) ServerReady(context.Context, *inference.ServerReadyRequest) (*inference.ServerReadyResponse, error) {
	return &inference.ServerReadyResponse{Ready: s.ready() == nil}, nil
}

// ModelReady says whether to send requests to a model that is there.
func (s *Service) ModelReady(_ context.Context, r *inference.ModelReadyRequest) (*inference.ModelReadyResponse, error) {
	if err := check(r.Name, r.Version); err != nil {
		return nil, err
	}
	err := s.models.ModelReady(r.Name)
	if ascood.CodeOf(err) == scoring.NotFound {
		return nil, err
	}
	return &inference.ModelReadyResponse{Ready: err == nil}, nil
}

// ServerMetadata describes the server.
func (s *Service) ServerMetadata(context.Context, *inference.ServerMetadataRequest) (*inference.ServerMetadataResponse, error) {
	m := oip.Server()
	return &inference.ServerMetadataResponse{Name: m.Name, Version: m.Version, Extensions: m.Extensions}, nil
}

// ModelMetadata describes a model.
func (s *Service) ModelMetadata(_ context.Context, r *inference.ModelMetadataRequest) (*inference.ModelMetadataResponse, error) {
	if err := check(r.Name, r.Version); err != nil {
		return nil, err
	}
	v, err := s.models.Acquire(r.Name)
	if err != nil {
		return nil, err
	}
	defer v.Release()
	m := oip.Describe(v)
	return &inference.ModelMetadataResponse{
		Name: m.Name, Versions: m.Versions, Platform: m.Platform, Inputs: described(m.Inputs), Outputs: described(m.Outputs),
	}, nil
}

func described(all []oip.TensorMetadata) []*inference.ModelMetadataResponse_TensorMetadata {
	var messages []*inference.ModelMetadataResponse_TensorMetadata
	for _, m := range all {
		messages = append(messages, &inference.ModelMetadataResponse_TensorMetadata{Name: m.Name, Datatype: m.Type, Shape: m.Shape})
	}
	return messages
}

// ModelInfer answers a request with images. Outputs are raw if the inputs were.
func (s *Service) ModelInfer(ctx context.Context, m *inference.ModelInferRequest) (*inference.ModelInferResponse, error) {
	if err := check(m.ModelName, m.ModelVersion); err != nil {
		return nil, err
	}
	r, err := request(m)
	if err != nil {
		return nil, err
	}
	answer, err := oip.Infer(ctx, s.models, m.ModelName, r, s.maxImages)
	if err != nil {
		return nil, err
	}
	return response(answer, len(m.RawInputContents) > 0), nil
}

// check looks at how a request names its model: there is no default here.
func check(name, version string) error {
	if name == "" {
		return ascood.Errorf(scoring.NotFound, "no such model: the request names none")
	}
	return oip.CheckVersion(name, version)
}
