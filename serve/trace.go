package serve

import (
	"log/slog"
	"net/http"
	"regexp"
	"strings"
)

// traceparent is the header of W3C's "Trace Context", of version 00 or later ones that
// begin as it does: version, trace, parent, flags.
var traceparent = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$`)

// traceOf are the attributes by which the log's line of a request is found from its trace;
// none without one, or with one that is not valid.
func traceOf(r *http.Request) []slog.Attr {
	headers := r.Header.Values("Traceparent")
	if len(headers) != 1 {
		return nil
	}
	found := traceparent.FindStringSubmatch(headers[0])
	switch {
	case found == nil, strings.HasPrefix(headers[0], "ff"), strings.HasPrefix(headers[0], "00") && found[3] != "",
		strings.Trim(found[1], "0") == "", strings.Trim(found[2], "0") == "":
		return nil
	}
	return []slog.Attr{slog.String("trace_id", found[1]), slog.String("parent_span_id", found[2])}
}
