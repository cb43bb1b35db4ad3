package train

import "github.com/ascood/ascood/models"

// cider draws the projections of an image's two views to a prototype of their class and the
// prototypes apart (Ming et al., "How to Exploit Hyperspherical Embeddings for
// Out-of-Distribution Detection?", 2023). Published for CIFAR with the rate 0.5, weight decay
// 1e-4, 512 images a step and the augmentation contrastive, proto_m being 0.5 for 100
// classes, with the score knn of the feature. Its authors count epochs from 1; the code that
// most numbers were made with counts from 0 (first_epoch=0), and begins with negative rates.
type cider struct {
	prototypes
	W float64 `json:"w"` // weight of what draws to the prototypes
}

func init() {
	register("cider", func(Config) Method { return &cider{publishedPrototypes, 2} })
}

func (m *cider) check(c Config) error {
	if err := positive("w", m.W); err != nil {
		return err
	}
	return m.prototypes.check(c)
}

func (m *cider) Loss(s *Step) Loss {
	out, y := m.views(s)
	compact, apart := m.losses(s, out.Further[models.Projection], y)
	return Loss{ID: compact.MulScalar(m.W), OOD: apart, Weight: 1, Logits: out.Logits}
}
