package export

import (
	"fmt"
	"math"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/models"
)

// Weights holds the values of a state dict by name, row-major.
type Weights map[string][]float32

// fold returns the graph and weights of g in evaluation mode, each BatchNorm2d
// computed into the convolution before it. One that follows anything else, or a
// convolution whose output has another use, is an error: other networks have such
// (DenseNet, MaxViT), those of package models do not.
func fold(g *models.Graph, weights Weights) (*models.Graph, Weights, error) {
	folded := &models.Graph{Spec: g.Spec}
	values := Weights{}
	moved := []models.Value{models.Image} // value of g → value of folded
	uses := countUses(g)
	for _, n := range g.Nodes {
		for _, p := range n.Op.Params() {
			name := n.Param(p.Name)
			if !p.Integer && weights[name] == nil {
				return nil, nil, ascood.Errorf(ascood.Invalid, "the weights lack %s", name)
			}
			values[name] = weights[name]
		}
		if bn, ok := n.Op.(models.BatchNorm2d); ok {
			conv := moved[n.Inputs[0]]
			if conv == models.Image || uses[n.Inputs[0]] != 1 {
				return nil, nil, fmt.Errorf("batch normalisation %s does not follow a convolution of its own", n.Name)
			}
			if err := foldInto(&folded.Nodes[conv-1], n, bn, values); err != nil {
				return nil, nil, err
			}
			moved = append(moved, conv)
			continue
		}
		inputs := make([]models.Value, len(n.Inputs))
		for i, v := range n.Inputs {
			inputs[i] = moved[v]
		}
		folded.Nodes = append(folded.Nodes, models.Node{Name: n.Name, Op: n.Op, Inputs: inputs})
		moved = append(moved, models.Value(len(folded.Nodes)))
	}
	folded.Feature, folded.Logits = moved[g.Feature], moved[g.Logits]
	return folded, values, nil
}

func countUses(g *models.Graph) map[models.Value]int {
	uses := map[models.Value]int{g.Feature: 1, g.Logits: 1}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			uses[v]++
		}
	}
	return uses
}

// foldInto scales the convolution in node by what the normalisation n does to
// its output: y = (conv + b - mean)·weight/sqrt(var + eps) + bias. In double
// precision, so that the fold costs no accuracy beyond the final rounding.
func foldInto(node *models.Node, n models.Node, bn models.BatchNorm2d, values Weights) error {
	conv, ok := node.Op.(models.Conv2d)
	if !ok {
		return fmt.Errorf("batch normalisation %s follows %s, not a convolution", n.Name, opName(node.Op))
	}
	param := func(name string) []float32 { return values[n.Param(name)] }
	gamma, beta, mean, variance := param("weight"), param("bias"), param("running_mean"), param("running_var")

	old := values[node.Param("weight")]
	kernel, bias := make([]float32, len(old)), make([]float32, conv.Out)
	per := len(old) / conv.Out
	for c := range conv.Out {
		scale := float64(gamma[c]) / math.Sqrt(float64(variance[c])+bn.Eps)
		for k := c * per; k < (c+1)*per; k++ {
			kernel[k] = float32(float64(old[k]) * scale)
		}
		shift := -float64(mean[c])
		if conv.Bias {
			shift += float64(values[node.Param("bias")][c])
		}
		bias[c] = float32(shift*scale + float64(beta[c]))
	}
	conv.Bias = true
	node.Op = conv
	values[node.Param("weight")], values[node.Param("bias")] = kernel, bias
	return nil
}
