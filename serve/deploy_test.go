package serve

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var metricName = regexp.MustCompile(`\bascood_[a-z_]+`)

// metricNames are those in the code; as strings they stand for nothing else.
func metricNames(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"*.go", "scoring/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			code, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range regexp.MustCompile(`"(ascood_[a-z_]+)"`).FindAllStringSubmatch(string(code), -1) {
				names = append(names, match[1])
			}
		}
	}
	return names
}

// checkNames makes sure that a text speaks of metrics that there are.
func checkNames(t *testing.T, where, text string, names []string) (seen []string) {
	t.Helper()
	for _, name := range metricName.FindAllString(text, -1) {
		base := name
		for _, part := range []string{"_bucket", "_count", "_sum"} {
			base = strings.TrimSuffix(base, part)
		}
		if !slices.Contains(names, name) && !slices.Contains(names, base) {
			t.Errorf("%s: there is no metric %s", where, name)
		}
		seen = append(seen, base)
	}
	return seen
}

// TestDashboards: the dashboard, the alert rules and the documents speak of metrics that
// there are, and the dashboard shows all of them.
func TestDashboards(t *testing.T) {
	names := metricNames(t)
	file, err := os.ReadFile("../deploy/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(file, &dashboard); err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, p := range dashboard.Panels {
		if p.Title == "" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %+v", p)
		}
		for _, target := range p.Targets {
			seen := checkNames(t, p.Title, target.Expr, names)
			if len(seen) == 0 {
				t.Errorf("%s: %s asks for nothing of ours", p.Title, target.Expr)
			}
			shown = append(shown, seen...)
		}
	}
	for _, name := range names {
		if !slices.Contains(shown, name) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
	for _, path := range []string{"../deploy/alerts.yml", "../docs/deploy.md", "../docs/http-api.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if seen := checkNames(t, path, string(text), names); len(seen) == 0 {
			t.Errorf("%s speaks of no metric", path)
		}
	}
}

// TestAlertsAreExplained: docs/deploy.md says what to do about each alert.
func TestAlertsAreExplained(t *testing.T) {
	rules, err := os.ReadFile("../deploy/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	alerts := regexp.MustCompile(`(?m)^  - alert: (\w+)$`).FindAllStringSubmatch(string(rules), -1)
	if len(alerts) == 0 {
		t.Error("no alerts")
	}
	for _, alert := range alerts {
		if !strings.Contains(string(page), "| `"+alert[1]+"` |") {
			t.Errorf("docs/deploy.md does not explain %s", alert[1])
		}
	}
}
