package serve

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// inferRequest is a request to the fake model, binary data behind its JSON.
func inferRequest(header, data string) *http.Request {
	r := httptest.NewRequest("POST", "/v2/models/fake/infer", strings.NewReader(header+data))
	if data != "" {
		r.Header.Set("Inference-Header-Content-Length", strconv.Itoa(len(header)))
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	return r
}

// files is the binary layout of BYTES.
func files(all ...[]byte) string {
	var b []byte
	for _, f := range all {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(f))), f...)
	}
	return string(b)
}

const fakeMetadata = `{"name":"fake","versions":["1"],"platform":"onnx_onnxv1",` +
	`"inputs":[{"name":"image","datatype":"BYTES","shape":[-1]},{"name":"pixels","datatype":"UINT8","shape":[-1,8,8,3]}],` +
	`"outputs":[{"name":"verdict","datatype":"BYTES","shape":[-1]},{"name":"p_value","datatype":"FP64","shape":[-1]},` +
	`{"name":"score","datatype":"FP64","shape":[-1]},{"name":"class","datatype":"BYTES","shape":[-1]},{"name":"probability","datatype":"FP64","shape":[-1]},` +
	`{"name":"logits","datatype":"FP32","shape":[-1,2]},{"name":"prediction","datatype":"INT64","shape":[-1]},` +
	`{"name":"gradient","datatype":"FP32","shape":[-1,3,8,8]},{"name":"iodin_index","datatype":"INT64","shape":[-1]}]}`

func TestV2Metadata(t *testing.T) {
	s := newServer(t, &fakeModel{})
	for _, tt := range []struct {
		path   string
		status int
		want   string
	}{
		{"/v2", 200, `{"name":"ascood","version":"` + ascood.Version + `","extensions":["binary_tensor_data"]}`},
		{"/v2/", 200, `{"name":"ascood",`},
		{"/v2/health/live", 200, `{"live":true}`},
		{"/v2/health/ready", 200, `{"ready":true}`},
		{"/v2/models/fake", 200, fakeMetadata},
		{"/v2/models/fake/versions/1", 200, fakeMetadata},
		{"/v2/models/fake/ready", 200, `{"name":"fake","ready":true}`},
		{"/v2/models/fake/versions/1/ready", 200, `{"name":"fake","ready":true}`},
		{"/v2/models/fake/versions/2", 404, `{"error":"model \"fake\" has no version \"2\": it has version 1, whatever its file is"}`},
		{"/v2/models/other", 404, `{"error":"no such model: \"other\""}`},
		{"/v2/models/other/ready", 404, `{"error":`},
		{"/v2/models/fake/infer", 405, `{"error":"method \"GET\" is not allowed here"}`},
		{"/v2/nothing", 404, `{"error":"no such page: \"/v2/nothing\""}`},
	} {
		w := do(s, httptest.NewRequest("GET", tt.path, nil))
		if w.Code != tt.status || !strings.HasPrefix(w.Body.String(), tt.want) {
			t.Errorf("%s: status %d: %s", tt.path, w.Code, w.Body)
		}
	}
}

// TestV2Infer: requests as clients write them, the binary ones in the form of Triton's
// client library for Python.
func TestV2Infer(t *testing.T) {
	s := newServer(t, &fakeModel{})
	white, black := grayPNG(t, 255), grayPNG(t, 0)
	crops := strings.Repeat("\xff", 192) + strings.Repeat("\x00", 192)
	nested, err := json.Marshal([][][][3]int{filled(255), filled(0)})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal([][]byte{white, black}) // base64
	if err != nil {
		t.Fatal(err)
	}
	const head = `{"model_name":"fake","model_version":"1","id":"a",`
	const asked = `"outputs":[{"name":"verdict"},{"name":"p_value"},{"name":"score"},{"name":"prediction"},{"name":"class"},{"name":"probability"}],`
	const verdicts = `"outputs":[{"name":"verdict","datatype":"BYTES","shape":[2],"data":["in_distribution","out_of_distribution"]},` +
		`{"name":"p_value","datatype":"FP64","shape":[2],"data":[1,0.1]},{"name":"score","datatype":"FP64","shape":[2],"data":[1,0]},` +
		`{"name":"prediction","datatype":"INT64","shape":[2],"data":[1,0]},{"name":"class","datatype":"BYTES","shape":[2],"data":["bright","dark"]},` +
		`{"name":"probability","datatype":"FP64","shape":[2],"data":[0.75,0.75]}]}`
	for _, tt := range []struct {
		name, header, data string
		want, binary       string
	}{
		{"pixels, nested", `{"id":"a",` + asked + `"inputs":[{"name":"pixels","datatype":"UINT8","shape":[2,8,8,3],"data":` + string(nested) + `}]}`, "", head + verdicts, ""},
		{"files in base64", `{"id":"a",` + asked + `"inputs":[{"name":"image","datatype":"BYTES","shape":[2],"data":` + string(encoded) + `}]}`, "", head + verdicts, ""},
		{"pixels, binary", `{"id":"a","inputs":[{"name":"pixels","shape":[2,8,8,3],"datatype":"UINT8","parameters":{"binary_data_size":384}}],` +
			`"outputs":[{"name":"verdict","parameters":{"binary_data":true}},{"name":"iodin_index","parameters":{"binary_data":true}},{"name":"logits"}]}`, crops,
			head + `"outputs":[{"name":"verdict","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":42}},` +
				`{"name":"iodin_index","datatype":"INT64","shape":[2],"parameters":{"binary_data_size":16}},` +
				`{"name":"logits","datatype":"FP32","shape":[2,2],"data":[0.5,1.5,0.5,1.5]}]}`,
			files([]byte("in_distribution"), []byte("out_of_distribution")) + strings.Repeat("\x00", 16)},
		{"files, binary", fmt.Sprintf(`{"id":"a","inputs":[{"name":"image","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":%d}}],"parameters":{"binary_data_output":true},`+
			`"outputs":[{"name":"prediction"}]}`, len(files(white, black))), files(white, black),
			head + `"outputs":[{"name":"prediction","datatype":"INT64","shape":[2],"parameters":{"binary_data_size":16}}]}`,
			"\x01\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 8)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, path := range []string{"/v2/models/fake/infer", "/v2/models/fake/versions/1/infer"} {
				r := inferRequest(tt.header, tt.data)
				r.URL.Path = path
				w := do(s, r)
				body := w.Body.String()
				if tt.binary != "" {
					length, err := strconv.Atoi(w.Header().Get("Inference-Header-Content-Length"))
					if err != nil || w.Header().Get("Content-Type") != "application/octet-stream" {
						t.Fatalf("headers %v: %v", w.Header(), err)
					}
					if body[length:] != tt.binary {
						t.Errorf("binary data %q, want %q", body[length:], tt.binary)
					}
					body = body[:length]
				}
				if w.Code != http.StatusOK || strings.TrimSpace(body) != tt.want {
					t.Errorf("status %d: %s\nwant %s", w.Code, body, tt.want)
				}
			}
		})
	}
	wantNothingHeld(t, s)
}

// TestV2AllOutputs: a request that names no outputs gets all that the metadata has.
func TestV2AllOutputs(t *testing.T) {
	s := newServer(t, &fakeModel{})
	described := parse[struct {
		Name, Platform  string
		Versions        []string
		Inputs, Outputs []v2Tensor
	}](t, do(s, httptest.NewRequest("GET", "/v2/models/fake", nil)))
	for _, none := range []string{"", `"outputs":[],`} {
		file := files(grayPNG(t, 255))
		w := do(s, inferRequest(fmt.Sprintf(`{%s"inputs":[{"name":"image","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":%d}}]}`, none, len(file)), file))
		if w.Code != http.StatusOK {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		var answer struct{ Outputs []v2Tensor }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.Outputs) != len(described.Outputs) {
			t.Fatalf("%d outputs of %d, %v", len(answer.Outputs), len(described.Outputs), err)
		}
		for i, want := range described.Outputs {
			got, shape, n := answer.Outputs[i], append([]int{1}, want.Shape[1:]...), 1
			for _, d := range shape {
				n *= d
			}
			if got.Name != want.Name || got.Datatype != want.Datatype || !slices.Equal(got.Shape, shape) || len(got.Data) != n {
				t.Errorf("%s: %s %v of %d elements", want.Name, got.Datatype, got.Shape, len(got.Data))
			}
		}
	}
}

// v2Tensor is one in JSON, or its description.
type v2Tensor struct {
	Name, Datatype string
	Shape          []int
	Data           []any
}

// filled is a crop of one level of gray.
func filled(level int) [][][3]int {
	crop := make([][][3]int, side)
	for y := range crop {
		for range side {
			crop[y] = append(crop[y], [3]int{level, level, level})
		}
	}
	return crop
}

func TestV2Refuses(t *testing.T) {
	s := newServer(t, &fakeModel{}, func(c *Config) { c.MaxImages = 2 })
	bytesInput := func(all ...[]byte) (header, data string) {
		data = files(all...)
		return fmt.Sprintf(`{"inputs":[{"name":"image","shape":[%d],"datatype":"BYTES","parameters":{"binary_data_size":%d}}]}`, len(all), len(data)), data
	}
	image := grayPNG(t, 1)
	two := func(header, data string) [2]string { return [2]string{header, data} }
	for _, tt := range []struct {
		request [2]string
		status  int
		want    string
	}{
		{[2]string{}, 400, "unexpected end of JSON input"},
		{[2]string{`{}`}, 400, `0 inputs: want one, "image" or "pixels"`},
		{[2]string{`{"inputs":[{"name":"x","datatype":"UINT8","shape":[1],"data":[1]}]}`}, 400, `unknown input "x": want "image" or "pixels"`},
		{[2]string{`{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1],"data":[1]}]}`}, 400, "input pixels is UINT8 [1]: want UINT8 [-1 8 8 3]"},
		{[2]string{`{"inputs":[{"name":"pixels","datatype":"FP32","shape":[1,8,8,3],"data":[1]}]}`}, 400, `is of type "FP32"`},
		{[2]string{`{"inputs":[{"name":"image","datatype":"BYTES","shape":[0],"data":[]}]}`}, 400, "has 0 images"},
		{two(bytesInput(image, image, image)), 413, "has 3 images, more than 2"},
		{two(bytesInput(image, []byte("text"))), 415, "image 1: not an image in a known format"},
		{two(bytesInput([]byte("text"))), 415, "not an image in a known format"},
		{two(bytesInput(hugePNG())), 413, "image of 50000x50000 pixels"},
		{[2]string{`{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"data":["AA=="]}],"outputs":[{"name":"odin"}]}`}, 400,
			`unknown output "odin": model fake has verdict, p_value, score, class, probability, logits, prediction, gradient, iodin_index`},
	} {
		w := do(s, inferRequest(tt.request[0], tt.request[1]))
		var e struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != tt.status || !strings.Contains(e.Error, tt.want) {
			t.Errorf("%.80s: status %d: %s; want %d, %s", tt.request[0], w.Code, w.Body, tt.status, tt.want)
		}
	}
	for _, length := range []string{"x", "-1", "99999", "18446744073709551617"} {
		r := inferRequest(`{}`, "data")
		r.Header.Set("Inference-Header-Content-Length", length)
		if w := do(s, r); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "Inference-Header-Content-Length") {
			t.Errorf("length %s: status %d: %s", length, w.Code, w.Body)
		}
	}
	wantNothingHeld(t, s)
}

// The limits of uploads hold for tensors too.
func TestV2Limits(t *testing.T) {
	m, begun, release := blocking()
	s := newServer(t, m, func(c *Config) { c.MaxQueue, c.MaxImages, c.MaxBody = 1, 1, 1<<20 })
	if w := do(s, inferRequest(`{}`, strings.Repeat("x", 1<<20))); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: status %d: %s", w.Code, w.Body)
	}
	first := make(chan *httptest.ResponseRecorder)
	file := files(grayPNG(t, 255))
	ask := func() *httptest.ResponseRecorder {
		return do(s, inferRequest(fmt.Sprintf(`{"inputs":[{"name":"image","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":%d}}]}`, len(file)), file))
	}
	go func() { first <- ask() }()
	<-begun
	if w := ask(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !bytes.HasPrefix(w.Body.Bytes(), []byte(`{"error":"1 images are in work`)) {
		t.Errorf("a second request: status %d: %s", w.Code, w.Body)
	}
	close(release)
	if w := <-first; w.Code != http.StatusOK {
		t.Errorf("the first request: status %d: %s", w.Code, w.Body)
	}
}
