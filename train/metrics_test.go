package train

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood/runs"
)

func TestMetrics(t *testing.T) {
	path := filepath.Join(t.TempDir(), runs.MetricsFile)
	m, err := openMetrics(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	for epoch := range 3 {
		r := Row{
			Epoch: epoch + 1, LR: 0.1, Alpha: 30, LossID: 1.5, LossOOD: 0.25, LossEMA: 1.75,
			TrainAccuracy: 0.5, ValAccuracy: 2.0 / 3, ImagesPerSecond: 543.21, Seconds: 12.5, Broken: 7, ValBroken: 2,
		}
		if err := m.add(r); err != nil {
			t.Fatal(err)
		}
	}
	header := "epoch,lr,alpha,loss_id,loss_ood,loss_ema,train_accuracy,val_accuracy,images_per_second,seconds,broken,val_broken\n"
	rest := ",0.1,30,1.5,0.25,1.75,0.5,0.666667,543.21,12.5,7,2\n"
	check := func(want string) {
		t.Helper()
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("metrics are\n%s%v\nwant\n%s", got, err, want)
		}
	}
	check(header + "1" + rest + "2" + rest + "3" + rest)

	// Resuming after the first epoch forgets the later ones.
	if m, err = openMetrics(path, 1); err != nil {
		t.Fatal(err)
	}
	if err := m.add(Row{Epoch: 2}); err != nil {
		t.Fatal(err)
	}
	check(header + "1" + rest + "2,0,0,0,0,0,0,0,0,0,0,0\n")

	write(t, path, []byte("loss,epoch\n"))
	if _, err := openMetrics(path, 1); err == nil || !strings.Contains(err.Error(), "is not a file of metrics of this program") {
		t.Errorf("another file: %v", err)
	}
}
