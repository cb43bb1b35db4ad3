package train

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/atomicfile"
)

// Row is what metrics.csv says about an epoch.
type Row struct {
	Epoch           int     // from 1
	LR              float64 // learning rate of the epoch's last step
	Alpha           float64 // strength of the outliers; 0 where they have none
	LossID          float64 // mean cross-entropy of the training images
	LossOOD         float64 // mean of what the method adds, as the divergence of the outliers' predictions from uniform; 0 for nothing
	LossEMA         float64 // moving average of LossID + w·LossOOD, as the references report it
	TrainAccuracy   float64 // share of training images classified correctly, as they passed
	ValAccuracy     float64 // share of validation images classified correctly after the epoch
	ImagesPerSecond float64 // training images, without validation
	Seconds         float64 // the epoch with validation
	Broken          int     // training images that could not be loaded
	ValBroken       int     // validation images that could not be loaded
}

var columns = []string{"epoch", "lr", "alpha", "loss_id", "loss_ood", "loss_ema", "train_accuracy", "val_accuracy", "images_per_second", "seconds", "broken", "val_broken"}

func (r Row) record() []string {
	record := []string{strconv.Itoa(r.Epoch)}
	for _, v := range []float64{r.LR, r.Alpha, r.LossID, r.LossOOD, r.LossEMA, r.TrainAccuracy, r.ValAccuracy, r.ImagesPerSecond, r.Seconds} {
		record = append(record, strconv.FormatFloat(v, 'g', 6, 64))
	}
	return append(record, strconv.Itoa(r.Broken), strconv.Itoa(r.ValBroken))
}

// metrics is the file metrics.csv. It is rewritten as a whole with each row, so
// that a reader never sees half a line.
type metrics struct {
	path    string
	records [][]string
}

// openMetrics returns the metrics with those rows of an existing file that
// belong to the first epochs; later ones tell of work that was lost.
func openMetrics(path string, epochs int) (*metrics, error) {
	m := &metrics{path: path, records: [][]string{columns}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = len(columns)
	records, err := r.ReadAll()
	if err != nil || len(records) == 0 || !slices.Equal(records[0], columns) {
		return nil, ascood.Errorf(ascood.Invalid, "%s is not a file of metrics of this program: move it away", path)
	}
	for _, record := range records[1:] {
		if epoch, err := strconv.Atoi(record[0]); err == nil && epoch <= epochs {
			m.records = append(m.records, record)
		}
	}
	return m, nil
}

// add adds a row and writes the file.
func (m *metrics) add(r Row) error {
	m.records = append(m.records, r.record())
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	if err := w.WriteAll(m.records); err != nil {
		return fmt.Errorf("%s: %w", m.path, err)
	}
	return atomicfile.WriteFile(m.path, out.Bytes())
}
