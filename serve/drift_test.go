package serve

import (
	"net/http/httptest"
	"testing"
)

// TestDrift: the images that are answered are those that are looked at, and an alarm is
// seen where operators look.
func TestDrift(t *testing.T) {
	s := newServer(t, &fakeModel{}, func(c *Config) { c.Drift.Window, c.Drift.Level = 20, 0.01 })
	send := func(n int, level uint8) {
		for range n {
			wantScore(t, do(s, raw(grayPNG(t, level))), float64(level)/255)
		}
	}
	report := func() DriftResponse {
		t.Helper()
		answer := parse[DriftResponse](t, do(s, httptest.NewRequest("GET", "/v1/drift", nil)))
		if answer.Window != 20 || answer.Level != 0.01 || len(answer.Models) != 1 || answer.Models[0].Model != "fake" {
			t.Fatalf("got %+v", answer)
		}
		return answer
	}
	if m := report().Models[0]; m.Images != 0 || m.Last != nil || !near(m.Expected, 0.2) {
		t.Errorf("before any image: %+v", m)
	}
	do(s, raw([]byte("text"))) // no image
	send(5, 0)
	send(14, 255)
	m := report().Models[0]
	if m.Images != 19 || m.Histogram[0] != 5 || m.Histogram[9] != 14 || m.Classes["dark"] != 5 || m.Classes["bright"] != 14 || m.Last != nil || !near(m.Out.Share, 5./19) {
		t.Errorf("after 19 images: %+v", m)
	}
	for _, sample := range []string{`ascood_drift_alarm{model="fake"}`} {
		if got := metric(t, s, sample); got != "0" {
			t.Errorf("%s is %s before the first window", sample, got)
		}
	}
	send(21, 0)
	m = report().Models[0]
	if !near(m.Known["dark"], 2./9) || m.LastClasses == nil || m.LastClasses.Images != 20 || !near(m.LastClasses.Distance, 7./9) || m.NowClasses == nil {
		t.Errorf("classes after a window of black images: %+v, %+v, %+v", m.Known, m.LastClasses, m.NowClasses)
	}
	if m.Images != 20 || m.Last == nil || !m.Last.Alarm || m.Last.Distance < 0.8 {
		t.Errorf("after a window of black images: %+v, %+v", m, m.Last)
	}
	for sample, want := range map[string]string{
		`ascood_drift_alarm{model="fake"}`:                                                  "1",
		`ascood_drift_class_distance{model="fake"}`:                                         "0.7777777777777778",
		`ascood_p_value_bucket{model="fake",le="0.1"}`:                                      "26",
		`ascood_predictions_total{class="dark",model="fake",verdict="out_of_distribution"}`: "26",
		`ascood_p_value_count{model="fake"}`:                                                "40",
		`ascood_score_bucket{model="fake",le="0.1875"}`:                                     "26", // below the threshold by the fourth of its distance from the median
		`ascood_score_bucket{model="fake",le="1"}`:                                          "40",
		`ascood_score_count{model="fake"}`:                                                  "40",
		`ascood_out_of_distribution_ratio{model="fake"}`:                                    "1",
		`ascood_images_total{model="fake",outcome="unsupported"}`:                           "1",
	} {
		if got := metric(t, s, sample); got != want {
			t.Errorf("%s is %s, want %s", sample, got, want)
		}
	}
}
