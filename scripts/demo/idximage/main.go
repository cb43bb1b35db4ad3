// Command idximage writes the first image of a class in an IDX file as PNG, for
// the demo to upload:
//
//	idximage IMAGES CLASS OUT.png
package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"io"
	"strconv"

	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/preprocess"
)

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, stdout, _ io.Writer) error {
	if len(args) != 3 {
		return cli.Usagef("want IMAGES CLASS OUT.png")
	}
	class, err := strconv.Atoi(args[1])
	if err != nil {
		return cli.Usagef("class %q: want a number", args[1])
	}
	data, err := dataset.Open(args[0], "")
	if err != nil {
		return err
	}
	for i := range data.Len() {
		if data.Label(i) != class {
			continue
		}
		img, err := data.Load(ctx, i, preprocess.Reading{})
		if err != nil {
			return err
		}
		var file bytes.Buffer
		if err := png.Encode(&file, img); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s is %s\n", args[2], data.Name(i))
		return atomicfile.WriteFile(args[2], file.Bytes())
	}
	return fmt.Errorf("%s has no image of class %d", args[0], class)
}
