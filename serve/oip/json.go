package oip

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/ascood/ascood"
)

// Form says which outputs are to be binary in a response.
type Form struct {
	binary bool            // what is not named below
	chosen map[string]bool // by output
}

// message is a request in JSON.
type message struct {
	ID         string `json:"id"`
	Parameters struct {
		Binary bool `json:"binary_data_output"`
	} `json:"parameters"`
	Inputs []struct {
		Name       string  `json:"name"`
		Type       string  `json:"datatype"`
		Shape      []int64 `json:"shape"`
		Parameters struct {
			Size   *int64  `json:"binary_data_size"`
			Region *string `json:"shared_memory_region"`
		} `json:"parameters"`
		Data json.RawMessage `json:"data"`
	} `json:"inputs"`
	Outputs []struct {
		Name       string `json:"name"`
		Parameters struct {
			Binary *bool   `json:"binary_data"`
			Region *string `json:"shared_memory_region"`
		} `json:"parameters"`
	} `json:"outputs"`
}

// ParseRequest reads a request: JSON of the given length, and binary data behind it. The
// data refers to body's memory.
func ParseRequest(body []byte, length int) (*Request, Form, error) {
	if length < 0 || length > len(body) {
		return nil, Form{}, ascood.Errorf(ascood.Invalid, "Inference-Header-Content-Length %d: the body has %d bytes", length, len(body))
	}
	var m message
	if err := json.Unmarshal(body[:length], &m); err != nil {
		return nil, Form{}, ascood.Errorf(ascood.Invalid, "the request is not as the protocol has it: %w", err)
	}
	r, form := &Request{ID: m.ID}, Form{m.Parameters.Binary, map[string]bool{}}
	for _, o := range m.Outputs {
		if o.Parameters.Region != nil {
			return nil, Form{}, NoSharedMemory("output", o.Name)
		}
		if o.Parameters.Binary != nil {
			form.chosen[o.Name] = *o.Parameters.Binary
		}
		r.Outputs = append(r.Outputs, o.Name)
	}
	rest := body[length:]
	for _, in := range m.Inputs {
		t := Tensor{in.Name, in.Type, in.Shape, nil}
		n, err := t.Count()
		switch size := in.Parameters.Size; {
		case err != nil:
		case in.Parameters.Region != nil:
			err = NoSharedMemory("input", in.Name)
		case size == nil:
			err = t.fromJSON(in.Data, n)
		case *size < 0 || *size > int64(len(rest)):
			err = ascood.Errorf(ascood.Invalid, "input %.50q: %d bytes are announced, and %d are there", in.Name, *size, len(rest))
		case in.Data != nil:
			err = ascood.Errorf(ascood.Invalid, "input %.50q: it has data in JSON and in binary; want one of them", in.Name)
		default:
			err = t.FromBinary(rest[:*size], n)
			rest = rest[*size:]
		}
		if err != nil {
			return nil, Form{}, err
		}
		r.Inputs = append(r.Inputs, t)
	}
	if len(rest) > 0 {
		return nil, Form{}, ascood.Errorf(ascood.Invalid, "%d bytes of binary data belong to no input", len(rest))
	}
	return r, form, nil
}

// Count returns how many elements a tensor's shape asks for.
func (t *Tensor) Count() (int, error) {
	n := int64(1)
	for _, d := range t.Shape {
		if d < 0 || d > 0 && n > math.MaxInt32/d {
			return 0, ascood.Errorf(ascood.Invalid, "input %.50q: the shape %v is impossible", t.Name, t.Shape)
		}
		n *= d
	}
	return int(n), nil
}

// WrongType refuses the types that no input has.
func (t *Tensor) WrongType() error {
	return ascood.Errorf(ascood.Invalid, "input %.50q is of type %.20q: want %s for files or %s for pixels", t.Name, t.Type, Bytes, Uint8)
}

// fromJSON reads n elements, nested as the shape or flat: numbers, or files in base64.
func (t *Tensor) fromJSON(raw json.RawMessage, n int) error {
	shape := []int64{int64(n)}
	if nesting(raw) > 1 {
		shape = t.Shape
	}
	var err error
	switch t.Type {
	case Uint8:
		var data []uint8
		err = flatten(raw, shape, func(element json.RawMessage) error {
			v, err := strconv.ParseUint(string(element), 10, 8)
			data = append(data, uint8(v))
			return err
		})
		t.Data = data
	case Bytes:
		var data [][]byte
		err = flatten(raw, shape, func(element json.RawMessage) error {
			var text string
			if err := json.Unmarshal(element, &text); err != nil {
				return err
			}
			file, err := base64.StdEncoding.DecodeString(text)
			data = append(data, file)
			return err
		})
		t.Data = data
	default:
		return t.WrongType()
	}
	if err != nil {
		return ascood.Errorf(ascood.Invalid, "input %.50q: the data is not of type %s (files in base64) and shape %v, nested or flat: %w", t.Name, t.Type, t.Shape, err)
	}
	return nil
}

// nesting is how many brackets an array begins with.
func nesting(raw []byte) int {
	depth := 0
	for _, c := range raw {
		switch c {
		case '[':
			depth++
		case ' ', '\t', '\n', '\r':
		default:
			return depth
		}
	}
	return depth
}

// flatten calls each for the elements of arrays that are nested as the shape says. It
// takes no memory for them: a short request may have very many.
func flatten(raw json.RawMessage, shape []int64, each func(json.RawMessage) error) error {
	s := &scanner{raw, 0}
	return s.array(shape, each)
}

// scanner goes through JSON that is known to be valid.
type scanner struct {
	raw []byte
	at  int
}

// next skips space and returns the byte after it, 0 at the end.
func (s *scanner) next() byte {
	for ; s.at < len(s.raw); s.at++ {
		if c := s.raw[s.at]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
	return 0
}

func (s *scanner) array(shape []int64, each func(json.RawMessage) error) error {
	if len(shape) == 0 {
		return each(s.element())
	}
	if s.next() != '[' {
		return errNesting
	}
	s.at++
	for i := range shape[0] {
		if i > 0 {
			if s.next() != ',' {
				return errNesting
			}
			s.at++
		}
		if err := s.array(shape[1:], each); err != nil {
			return err
		}
	}
	if s.next() != ']' {
		return errNesting
	}
	s.at++
	return nil
}

var errNesting = errors.New("too many or too few elements, or others than those that they are nested in")

// element goes past a number, a string or a word, and returns it; of an array or an
// object it returns a part, which nobody takes for an element.
func (s *scanner) element() json.RawMessage {
	text := s.next() == '"'
	start := s.at
	for ; s.at < len(s.raw); s.at++ {
		switch c := s.raw[s.at]; {
		case text && c == '\\':
			s.at++
		case text && c == '"' && s.at > start:
			s.at++
			return s.raw[start:s.at]
		case !text && (c == ',' || c == ']' || c <= ' '):
			return s.raw[start:s.at]
		}
	}
	return s.raw[min(start, len(s.raw)):]
}

// answer is a response in JSON.
type answer struct {
	Model   string         `json:"model_name"`
	Version string         `json:"model_version"`
	ID      string         `json:"id,omitempty"`
	Outputs []answerTensor `json:"outputs"`
}

type answerTensor struct {
	Name       string      `json:"name"`
	Type       string      `json:"datatype"`
	Shape      []int64     `json:"shape"`
	Parameters *binarySize `json:"parameters,omitempty"`
	Data       any         `json:"data,omitempty"`
}

type binarySize struct {
	Size int `json:"binary_data_size"`
}

// Marshal writes a response: JSON of the length that it returns, with the binary data
// behind it that the form asks for.
func (r *Response) Marshal(form Form) (body []byte, length int, err error) {
	a := answer{r.Model, r.Version, r.ID, []answerTensor{}}
	var binary []byte
	for _, t := range r.Outputs {
		out := answerTensor{Name: t.Name, Type: t.Type, Shape: t.Shape}
		asBinary, chosen := form.chosen[t.Name]
		if !chosen {
			asBinary = form.binary
		}
		if asBinary {
			data := t.Binary()
			out.Parameters = &binarySize{len(data)}
			binary = append(binary, data...)
		} else {
			out.Data = t.plain()
		}
		a.Outputs = append(a.Outputs, out)
	}
	body, err = json.Marshal(a)
	if err != nil {
		return nil, 0, err
	}
	return slices.Concat(body, binary), len(body), nil
}

// plain is the data as JSON takes it: what is text is a string.
func (t *Tensor) plain() any {
	texts, ok := t.Data.([][]byte)
	if !ok {
		return t.Data
	}
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = string(text)
	}
	return all
}
