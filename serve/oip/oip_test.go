package oip

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// elements is the binary layout of BYTES.
func elements(all ...string) string {
	var b []byte
	for _, e := range all {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(e)))
		b = append(b, e...)
	}
	return string(b)
}

func TestParseRequest(t *testing.T) {
	file := base64.StdEncoding.EncodeToString([]byte{0xff, 0xd8, 0})
	for _, tt := range []struct {
		name, header, binary string
		want                 []Tensor
	}{
		{"nested numbers", `{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[2,1,1,3],"data":[[[[1,2,3]]], [[[4 , 5,255]]]]}]}`, "",
			[]Tensor{{"pixels", Uint8, []int64{2, 1, 1, 3}, []uint8{1, 2, 3, 4, 5, 255}}}},
		{"flat numbers", `{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[2,1,1,3],"data":[1,2,3,4,5,255]}]}`, "",
			[]Tensor{{"pixels", Uint8, []int64{2, 1, 1, 3}, []uint8{1, 2, 3, 4, 5, 255}}}},
		{"files in base64", `{"inputs":[{"name":"image","datatype":"BYTES","shape":[2],"data":["` + file + `", "\u0041\u0041\u003d="]}]}`, "",
			[]Tensor{{"image", Bytes, []int64{2}, [][]byte{{0xff, 0xd8, 0}, {0}}}}},
		{"binary numbers", `{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,1,1,3],"parameters":{"binary_data_size":3}}]}`, "\x01\x02\x03",
			[]Tensor{{"pixels", Uint8, []int64{1, 1, 1, 3}, []uint8{1, 2, 3}}}},
		{"binary files", `{"inputs":[{"name":"image","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":11}}]}`, elements("abc", ""),
			[]Tensor{{"image", Bytes, []int64{2}, [][]byte{[]byte("abc"), {}}}}},
		{"two inputs, one binary", `{"inputs":[{"name":"a","datatype":"UINT8","shape":[1],"parameters":{"binary_data_size":1}},{"name":"b","datatype":"UINT8","shape":[1],"data":[7]}]}`, "\x09",
			[]Tensor{{"a", Uint8, []int64{1}, []uint8{9}}, {"b", Uint8, []int64{1}, []uint8{7}}}},
	} {
		r, _, err := ParseRequest([]byte(tt.header+tt.binary), len(tt.header))
		if err != nil || !reflect.DeepEqual(r.Inputs, tt.want) {
			t.Errorf("%s: got %+v, %v", tt.name, r, err)
		}
	}
}

func TestParseRequestRefuses(t *testing.T) {
	pixels := func(rest string) string {
		return `{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,1,1,3]` + rest + `}]}`
	}
	image := func(rest string) string {
		return `{"inputs":[{"name":"image","datatype":"BYTES","shape":[2]` + rest + `}]}`
	}
	const nested = "nested or flat: too many or too few elements"
	for _, tt := range []struct {
		header, binary string
		want           string
	}{
		{``, "", "the request is not as the protocol has it: unexpected end of JSON input"},
		{`[]`, "", "the request is not as the protocol has it"},
		{`{"inputs":[{"shape":["a"]}]}`, "", "the request is not as the protocol has it"},
		{strings.Repeat(`{"inputs":[`, 6000), "", "the request is not as the protocol has it"},
		{`{"inputs":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, "", "exceeded max depth"},
		{pixels(`,"data":[1,2]`), "", nested},
		{pixels(`,"data":[1,2,3,4]`), "", nested},
		{pixels(`,"data":[[1,2,3]]`), "", nested},
		{pixels(`,"data":[[[[1,2]]]]`), "", nested},
		{pixels(`,"data":[[[[1,2,3]],[[1,2,3]]]]`), "", nested},
		{pixels(`,"data":[[[[1,2,[3]]]]]`), "", "invalid syntax"},
		{pixels(`,"data":[[[[1,2,{"a":3}]]]]`), "", "invalid syntax"},
		{pixels(`,"data":[1,2,256]`), "", "value out of range"},
		{pixels(`,"data":[1,2,-1]`), "", "invalid syntax"},
		{pixels(`,"data":[1,2,0.5]`), "", "invalid syntax"},
		{pixels(`,"data":[1,2,"3"]`), "", "invalid syntax"},
		{pixels(`,"data":7`), "", nested},
		{pixels(``), "", nested},
		{pixels(`,"data":[1,2,3]`), "\x01", "1 bytes of binary data belong to no input"},
		{pixels(`,"parameters":{"binary_data_size":3}`), "\x01\x02", "3 bytes are announced, and 2 are there"},
		{pixels(`,"parameters":{"binary_data_size":-1}`), "", "-1 bytes are announced"},
		{pixels(`,"parameters":{"binary_data_size":2}`), "\x01\x02", "2 bytes of data; the shape [1 1 1 3] has 3 elements"},
		{pixels(`,"parameters":{"binary_data_size":3},"data":[1,2,3]`), "\x01\x02\x03", "data in JSON and in binary"},
		{pixels(`,"parameters":{"shared_memory_region":"a"}`), "", "shared memory is not supported"},
		{`{"outputs":[{"name":"score","parameters":{"shared_memory_region":"a"}}]}`, "", "shared memory is not supported"},
		{image(`,"data":["AA==","*"]`), "", "files in base64"},
		{image(`,"data":["AA=="]`), "", nested},
		{image(`,"data":["AA==",3]`), "", "files in base64"},
		{image(`,"parameters":{"binary_data_size":5}`), elements("a"), "the data ends within element 1 of 2"},
		{image(`,"parameters":{"binary_data_size":4}`), "\xff\xff\xff\xff", "the data ends within element 0 of 2"},
		{image(`,"parameters":{"binary_data_size":3}`), "\x00\x00\x00", "the data ends within element 0 of 2"},
		{image(`,"parameters":{"binary_data_size":11}`), elements("", "") + "abc", "3 bytes after the last of 2 elements"},
		{`{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}`, "", `input "x" is of type "FP32": want BYTES for files or UINT8 for pixels`},
		{`{"inputs":[{"name":"x","datatype":"UINT8","shape":[-1],"data":[1]}]}`, "", "the shape [-1] is impossible"},
		{`{"inputs":[{"name":"x","datatype":"UINT8","shape":[1000000,1000000,1000000,1000000],"data":[1]}]}`, "", "is impossible"},
	} {
		_, _, err := ParseRequest([]byte(tt.header+tt.binary), len(tt.header))
		if code := ascood.CodeOf(err); code != ascood.Invalid && code != ascood.Unsupported || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.90s: got %v, want %s", tt.header, err, tt.want)
		}
	}
	for _, length := range []int{-1, 3} {
		if _, _, err := ParseRequest([]byte("{}"), length); ascood.CodeOf(err) != ascood.Invalid {
			t.Errorf("length %d: %v", length, err)
		}
	}
}

// What is announced takes no memory: only what is there does.
func TestMemoryOfRequests(t *testing.T) {
	flat := `{"inputs":[{"name":"x","datatype":"UINT8","shape":[2000000],"data":[` + strings.Repeat("0,", 1_000_000) + `0]}]}`
	count := `{"inputs":[{"name":"x","datatype":"BYTES","shape":[2000000000],"parameters":{"binary_data_size":4}}]}`
	for _, request := range []string{flat, count + "\x00\x00\x00\x00"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, _, err := ParseRequest([]byte(request), strings.LastIndexByte(request, '}')+1); err == nil {
			t.Error("no error")
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 10*uint64(len(request))+1<<20 {
			t.Errorf("%d bytes allocated for a request of %d", used, len(request))
		}
	}
}

func TestMarshal(t *testing.T) {
	r := &Response{Model: "m", Version: Version, ID: "7", Outputs: []Tensor{
		{"verdict", Bytes, []int64{2}, [][]byte{[]byte("in"), []byte("out")}},
		{"p_value", FP64, []int64{2}, []float64{0.5, 1}},
		{"logits", FP32, []int64{2, 1}, []float32{-1, 2}},
		{"prediction", Int64, []int64{2}, []int64{3, 4}},
	}}
	request := func(parameters, outputs string) Form {
		_, form, err := ParseRequest([]byte(`{"parameters":{`+parameters+`},"outputs":[`+outputs+`]}`), len(parameters)+len(outputs)+30)
		if err != nil {
			t.Fatal(err)
		}
		return form
	}
	const head = `{"model_name":"m","model_version":"1","id":"7","outputs":[`
	plain := head + `{"name":"verdict","datatype":"BYTES","shape":[2],"data":["in","out"]},{"name":"p_value","datatype":"FP64","shape":[2],"data":[0.5,1]},` +
		`{"name":"logits","datatype":"FP32","shape":[2,1],"data":[-1,2]},{"name":"prediction","datatype":"INT64","shape":[2],"data":[3,4]}]}`
	mixed := head + `{"name":"verdict","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":13}},{"name":"p_value","datatype":"FP64","shape":[2],"data":[0.5,1]},` +
		`{"name":"logits","datatype":"FP32","shape":[2,1],"parameters":{"binary_data_size":8}},{"name":"prediction","datatype":"INT64","shape":[2],"parameters":{"binary_data_size":16}}]}`
	for _, tt := range []struct {
		form         Form
		want, binary string
	}{
		{request("", ""), plain, ""},
		{request(`"binary_data_output":true`, `{"name":"p_value","parameters":{"binary_data":false}}`), mixed,
			elements("in", "out") + "\x00\x00\x80\xbf\x00\x00\x00\x40" + "\x03\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00"},
	} {
		body, length, err := r.Marshal(tt.form)
		if err != nil || string(body[:length]) != tt.want || string(body[length:]) != tt.binary || !json.Valid(body[:length]) {
			t.Errorf("got %s %q, %v", body[:length], body[length:], err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,1,1,3],"data":[[[[1,2,3]]]]}]}`), 90)
	f.Add([]byte(`{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":4}}]}`+"\x00\x00\x00\x00"), 96)
	f.Add([]byte(`{"inputs":[{"name":"image","datatype":"BYTES","shape":[2],"data":["AA==" , "\""]}]}`), 83)
	f.Fuzz(func(t *testing.T, body []byte, length int) {
		r, _, err := ParseRequest(body, length)
		if err != nil {
			return
		}
		for _, in := range r.Inputs {
			n, err := in.Count()
			if err != nil {
				t.Fatal(err)
			}
			if have := reflect.ValueOf(in.Data).Len(); have != n {
				t.Errorf("%d elements of %v", have, in.Shape)
			}
			if again := (Tensor{in.Name, in.Type, in.Shape, nil}); again.FromBinary(in.Binary(), n) != nil || fmt.Sprint(again.Data) != fmt.Sprint(in.Data) {
				t.Errorf("%v in binary is read as %v", in.Data, again.Data)
			}
		}
	})
}
