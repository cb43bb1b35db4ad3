//go:build !objectstore

package keep

import (
	"strings"
	"testing"
)

func TestNoBuckets(t *testing.T) {
	if _, err := Open(Config{Place: "s3://strange"}); err == nil || !strings.Contains(err.Error(), "go build -tags objectstore") {
		t.Errorf("got %v", err)
	}
}
