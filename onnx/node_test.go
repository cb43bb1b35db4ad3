package onnx

import "testing"

// TestTypeOf: types by the makers of values, where the first operand's is not the result's.
func TestTypeOf(t *testing.T) {
	const float, integer, truth = TensorProto_FLOAT, TensorProto_INT64, TensorProto_BOOL
	for name, test := range map[string]struct {
		node *NodeProto
		of   string
		want TensorProto_DataType
	}{
		"as its operand":    {&NodeProto{OpType: "Neg", Input: []string{"i"}, Output: []string{"y"}}, "y", integer},
		"float":             {&NodeProto{OpType: "Neg", Input: []string{"f"}, Output: []string{"y"}}, "y", float},
		"maximum":           {&NodeProto{OpType: "MaxPool", Input: []string{"f"}, Output: []string{"y", "places"}}, "y", float},
		"place of maximum":  {&NodeProto{OpType: "MaxPool", Input: []string{"f"}, Output: []string{"y", "places"}}, "places", integer},
		"place of the most": {&NodeProto{OpType: "TopK", Input: []string{"f"}, Output: []string{"y", "places"}}, "places", integer},
		"comparison":        {&NodeProto{OpType: "Less", Input: []string{"f", "f"}, Output: []string{"y"}}, "y", truth},
		"sizes":             {&NodeProto{OpType: "Shape", Input: []string{"f"}, Output: []string{"y"}}, "y", integer},
		"choice":            {&NodeProto{OpType: "Where", Input: []string{"b", "i", "i"}, Output: []string{"y"}}, "y", integer},
		"zeros":             {&NodeProto{OpType: "ConstantOfShape", Input: []string{"i"}, Output: []string{"y"}}, "y", float},
		"integer zeros": {&NodeProto{OpType: "ConstantOfShape", Input: []string{"i"}, Output: []string{"y"},
			Attribute: []Attr{{Name: "value", Type: AttributeProto_TENSOR, T: &TensorProto{DataType: int32(integer), Dims: []int64{1}}}}}, "y", integer},
		"one hot": {&NodeProto{OpType: "OneHot", Input: []string{"i", "i", "f"}, Output: []string{"y"}}, "y", float},
	} {
		t.Run(name, func(t *testing.T) {
			makers := map[string]*NodeProto{
				"i": {OpType: "Cast", Attribute: []Attr{Int("to", int(integer))}},
				"f": {OpType: "Cast", Attribute: []Attr{Int("to", int(float))}},
				"b": {OpType: "Not"},
			}
			for _, out := range test.node.Output {
				makers[out] = test.node
			}
			if got := TypeOf(func(value string) *NodeProto { return makers[value] }, test.of); got != test.want {
				t.Errorf("%v, should be %v", got, test.want)
			}
		})
	}
}
