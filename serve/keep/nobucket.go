//go:build !objectstore

package keep

import "errors"

// openBucket is in programs that were built for it: the libraries weigh as much as all else.
func openBucket(string) (place, int64, error) {
	return nil, 0, errors.New("this program keeps images in folders alone; for object storage build it by: go build -tags objectstore ./cmd/ascood-serve")
}
