package serve

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// A request's line in the log has its trace, if that is sane.
func TestTraceparent(t *testing.T) {
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for header, valid := range map[string]bool{
		"00-" + trace + "-" + span + "-01":                    true,
		"00-" + trace + "-" + span + "-00":                    true,
		"01-" + trace + "-" + span + "-01-what-comes-later":   true,
		"00-" + trace + "-" + span + "-01-more":               false,
		"ff-" + trace + "-" + span + "-01":                    false,
		"00-" + strings.ToUpper(trace) + "-" + span + "-01":   false,
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01":  false,
		"00-" + trace + "-" + strings.Repeat("0", 16) + "-01": false,
		"00-" + trace[1:] + "-" + span + "-01":                false,
		"00-" + trace + "\n-" + span + "-01":                  false,
		"":                                                    false,
	} {
		var log strings.Builder
		r := httptest.NewRequest("GET", "/livez", nil)
		if header != "" {
			r.Header.Set("Traceparent", header)
		}
		do(newServer(t, &fakeModel{}, logTo(&log)), r)
		if has := strings.Contains(log.String(), `"trace_id":"`+trace+`","parent_span_id":"`+span+`"`); has != valid || strings.Contains(log.String(), "trace_id") != valid {
			t.Errorf("%q: logged %s", header, log.String())
		}
	}
}
