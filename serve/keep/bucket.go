//go:build objectstore

package keep

import (
	"context"
	"errors"
	"io"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // s3://BUCKET, of Amazon and of all who speak its protocol
)

// bucket is one of object storage; who may write there is said by the environment, as the
// storage's own programs have it.
type bucket struct{ *blob.Bucket }

// slow is how long the storage may take for one file.
const slow = 30 * time.Second

// openBucket opens the bucket of a URL (https://gocloud.dev/howto/blob); one that cannot
// be listed is an error.
func openBucket(url string) (_ place, bytes int64, err error) {
	ctx, stop := context.WithTimeout(context.Background(), slow)
	defer stop()
	b, err := blob.OpenBucket(ctx, url)
	if err != nil {
		return nil, 0, err
	}
	for files := b.List(nil); ; {
		file, err := files.Next(ctx)
		if errors.Is(err, io.EOF) {
			return bucket{b}, bytes, nil
		}
		if err != nil {
			return nil, 0, errors.Join(err, b.Close())
		}
		bytes += file.Size
	}
}

func (b bucket) has(name string) (bool, error) {
	ctx, stop := context.WithTimeout(context.Background(), slow)
	defer stop()
	return b.Exists(ctx, name)
}

func (b bucket) put(name string, data []byte) error {
	ctx, stop := context.WithTimeout(context.Background(), slow)
	defer stop()
	return b.WriteAll(ctx, name, data, nil)
}
