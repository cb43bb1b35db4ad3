package serve

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/ascood/ascood/serve/inference"
)

// openRoutes are the routes that need no key: they say nothing of models or images.
var openRoutes = []string{"/", "/openapi", "/openapi.json", "/livez", "/readyz", "/v2/health/live", "/v2/health/ready"}

// openCalls are those of gRPC.
var openCalls = []string{
	inference.GRPCInferenceService_ServerLive_FullMethodName, inference.GRPCInferenceService_ServerReady_FullMethodName,
	grpc_health_v1.Health_Check_FullMethodName, grpc_health_v1.Health_Watch_FullMethodName, grpc_health_v1.Health_List_FullMethodName,
}

// clientKey is where the name of the client whose key was sent is left for the log.
const clientKey = "client"

// withKey refuses requests without a key, if there are keys.
func (s *Server) withKey(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.config.Keys == nil || slices.Contains(openRoutes, c.Path()) || slices.Contains(openCalls, c.Path()) {
			return next(c)
		}
		name, retry, err := s.config.Keys.Admit(keyOf(c.Request()))
		c.Set(clientKey, name)
		if retry > 0 {
			c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(retry.Seconds()))))
		}
		if err != nil {
			if name == "" {
				c.Response().Header().Set(echo.HeaderWWWAuthenticate, "Bearer")
			}
			return err
		}
		return next(c)
	}
}

// keyOf is the key that a request has, "" for none.
func keyOf(r *http.Request) string {
	if key := r.Header.Get("X-API-Key"); key != "" {
		return key
	}
	scheme, key, _ := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(key)
	}
	return ""
}
