package study

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/runs"
)

// probed is how many images a probe trains on; it goes through them twice, and the second
// time counts.
const probed = 32

// Probe trains a little by each network, data and method of whose trainings none is done, so
// that List can estimate them. It keeps nothing else.
func (s *Study) Probe(ctx context.Context) error {
	s.x.expand()
	if err := s.conclude(); err != nil {
		return err
	}
	t := s.timesOf()
	for _, p := range s.todo() {
		if _, known := s.probes[p.likeness()]; known || p.Kind != Train || len(t.own[p.likeness()]) > 0 {
			continue
		}
		perImage, err := s.probe(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name(), err)
		}
		s.probes[p.likeness()] = perImage
	}
	return nil
}

// probe returns the seconds that a training takes for an image.
func (s *Study) probe(ctx context.Context, p *Part) (float64, error) {
	dir, err := os.MkdirTemp("", "ascood-study-*")
	if err != nil {
		return 0, ascood.Errorf(ascood.Unavailable, "%w", err)
	}
	defer os.RemoveAll(dir)
	threads := strconv.Itoa(s.opt.Threads)
	limit := strconv.Itoa(min(probed, p.source.train.count))
	args := slices.Concat(p.args, option("--device", s.opt.Device), []string{
		"--threads=" + threads, "--workers=" + threads, "--output=" + dir, "--pretrained=" + notPretrained,
		"--epochs=2", "--train-limit=" + limit, "--val-limit=1",
	})
	var said bytes.Buffer
	if err := s.opt.Program(ctx, p.program, args, &said); err != nil {
		return 0, ascood.Errorf(ascood.Invalid, "%s", lastWords(said.String(), p.program, err))
	}
	f, err := os.Open(filepath.Join(dir, runs.MetricsFile))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		return 0, fmt.Errorf("%s has no epoch (%v)", f.Name(), err)
	}
	speed, err := strconv.ParseFloat(rows[len(rows)-1][max(0, slices.Index(rows[0], "images_per_second"))], 64)
	return 1 / speed, err
}
