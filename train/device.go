package train

import (
	"errors"
	"log/slog"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/gotorch"
)

// openDevice returns the device of the given name. Only "auto" may choose, and
// logs what it chose.
func openDevice(name string, log *slog.Logger) (gotorch.Device, error) {
	if name == "auto" {
		device, err := gotorch.OpenDevice("cuda")
		if err != nil {
			log.Info("device auto: cpu", "no_cuda_because", err)
			return gotorch.CPU, nil
		}
		log.Info("device auto: " + device.String())
		return device, nil
	}
	device, err := gotorch.OpenDevice(name)
	switch {
	case errors.Is(err, gotorch.ErrUnavailable):
		return device, ascood.Errorf(ascood.Unavailable, "--device %s: %w", name, err)
	case err != nil:
		return device, ascood.Errorf(ascood.Invalid, "--device %s: %w; or auto", name, err)
	}
	return device, nil
}
