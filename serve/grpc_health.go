package serve

import (
	"context"
	"time"

	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/ascood/ascood/serve/inference"
)

// grpcHealth is gRPC's health service, of the server as a whole and of its one service.
type grpcHealth struct {
	*grpchealth.Server
	ready func() error
}

func newGRPCHealth(ready func() error) *grpcHealth {
	h := &grpcHealth{grpchealth.NewServer(), ready}
	h.look()
	return h
}

// watchInterval is how often somebody who watches is told of a change.
const watchInterval = time.Second

func (h *grpcHealth) look() {
	now := grpc_health_v1.HealthCheckResponse_SERVING
	if h.ready() != nil {
		now = grpc_health_v1.HealthCheckResponse_NOT_SERVING
	}
	h.SetServingStatus("", now)
	h.SetServingStatus(inference.GRPCInferenceService_ServiceDesc.ServiceName, now)
}

// Check implements grpc_health_v1.HealthServer.
func (h *grpcHealth) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	h.look()
	return h.Server.Check(ctx, r)
}

// List implements grpc_health_v1.HealthServer.
func (h *grpcHealth) List(ctx context.Context, r *grpc_health_v1.HealthListRequest) (*grpc_health_v1.HealthListResponse, error) {
	h.look()
	return h.Server.List(ctx, r)
}

// Watch implements grpc_health_v1.HealthServer.
func (h *grpcHealth) Watch(r *grpc_health_v1.HealthCheckRequest, s grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) error {
	h.look()
	go func() {
		tick := time.NewTicker(watchInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				h.look()
			case <-s.Context().Done():
				return
			}
		}
	}()
	return h.Server.Watch(r, s)
}
