package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/cli/modelflags"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/posthoc"
)

// checkShip reports whether there is what the best method is found by.
func (f *flags) checkShip() error {
	switch {
	case f.ship == "":
		return nil
	case f.results != "":
		return cli.Usagef("--ship makes one model of one: give --model in place of --results")
	case f.single:
		return cli.Usagef("--ship has no meaning beside --reference-precision, which is for comparing with published numbers")
	case f.preset == "" && (f.validID == "" || f.validOOD == ""):
		return cli.Usagef("--ship takes the method that is best on validation images, never on those of the test: give --id-val and --ood-val")
	}
	return nil
}

// checkValidation finds out whether the validation images will do, before any is looked at.
func (f *flags) checkValidation(e *eval.Evaluation) error {
	if f.ship == "" {
		return nil
	}
	err := e.CheckValidation()
	if err == nil {
		err = artifact.CheckCalibration(e.ValidID.Images.Len(), f.tpr)
	}
	if err != nil {
		return fmt.Errorf("--ship: %w", err)
	}
	return nil
}

// shipBest writes the artifact with the method that tells the validation images apart
// best, calibrated on the in-distribution ones, and says which that is.
func (f *flags) shipBest(ctx context.Context, e *eval.Evaluation, results []eval.Result, opt ioodin.Options, stdout, stderr io.Writer) error {
	ranked, err := e.Validate(ctx, results)
	if err != nil {
		return fmt.Errorf("--ship: %w", err)
	}
	model, meta, err := e.Ship(ctx, ranked[0].Choice, posthoc.Float32)
	if err != nil {
		return fmt.Errorf("--ship: %w", err)
	}
	images := modelflags.Calibration{Flag: "id-val", Data: e.ValidID.Images, Images: f.validIDName(), TPR: f.tpr, SkipBroken: f.skipBroken}
	if meta.Calibration, err = images.Calibrate(ctx, model, meta, opt, stderr); err != nil {
		return fmt.Errorf("--ship: %w", err)
	}
	if err := artifact.Save(f.ship, model, meta); err != nil {
		return fmt.Errorf("--ship: %w", err)
	}
	describeShipped(stdout, f.ship, meta, ranked)
	return nil
}

// validIDName is how the user named the images that the calibration is made on.
func (f *flags) validIDName() string {
	if f.validID != "" {
		return f.validID
	}
	return "the validation images of " + f.preset
}

func describeShipped(w io.Writer, path string, d *artifact.Metadata, ranked []eval.Validated) {
	var others []string
	for _, v := range ranked[1:] {
		others = append(others, fmt.Sprintf("%s %.2f", v.Name, 100*v.AUROC))
	}
	fmt.Fprintf(w, "%s decides by %s, the best on the validation images: AUROC %.2f", path, d.Score, 100*ranked[0].AUROC)
	if len(others) > 0 {
		fmt.Fprintf(w, " (%s)", strings.Join(others, ", "))
	}
	fmt.Fprintf(w, "\ncalibrated on %d images: a score below %.6g is out of distribution (keeps %v%% of them)\n", d.Calibration.Samples, d.Calibration.Threshold, 100*d.Calibration.TPR)
}
