package ioodin_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/preprocess"
)

// A photograph is scored and judged.
func Example() {
	verdict := func(ctx context.Context, path string) error {
		model, err := ioodin.Open("model.onnx", ioodin.Options{})
		if err != nil {
			return err
		}
		defer model.Close()
		calibration, err := model.Calibration() // an error if the model cannot decide
		if err != nil {
			return err
		}
		photo, err := model.Info().Preprocess.DecodeFile(ctx, path, preprocess.DefaultMaxPixels)
		if err != nil {
			return err
		}
		results, err := model.Score(ctx, [][]uint8{model.Info().Preprocess.Crop(photo)})
		if err != nil {
			return err
		}
		decision := calibration.Decide(results[0].Score)
		fmt.Println(model.Info().Classes[results[0].Prediction], decision.Verdict, decision.PValue)
		return nil
	}
	if err := verdict(context.Background(), "photo.jpg"); err != nil {
		log.Fatal(err)
	}
}
