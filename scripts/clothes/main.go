// Command clothes makes the images of the study "clothes" (docs/study.md) of packaged
// ones: Fashion-MNIST, MNIST's digits and the photographs of Debian's mate-backgrounds.
//
//	clothes OUT
//
// It writes a folder for each setting, with the same six files of 32x32 pixels in the
// binary format of CIFAR-10. Two runs write the same.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/ascood/ascood/internal/cli"
)

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, stdout, _ io.Writer) error {
	if len(args) != 1 {
		return cli.Usagef("want OUT, the folder to write to")
	}
	m, err := open(ctx, packaged)
	if err != nil {
		return err
	}
	for _, s := range settings {
		if err := s.write(m, all, args[0]); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	fmt.Fprintf(stdout, "%s%c has the images of %d settings\n", args[0], os.PathSeparator, len(settings))
	return nil
}
