package serve

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve/inference"
)

// startGRPC serves a fake on two ports until the test ends, and connects to that for gRPC.
func startGRPC(t *testing.T, m tested, tweaks ...func(*Config)) (*Server, *grpc.ClientConn) {
	t.Helper()
	l := listen(t)
	s := newServer(t, m, append(tweaks, func(c *Config) { c.GRPC = l })...)
	serveOn(t, s)
	return s, connect(t, l.Addr().String(), plaintext)
}

var plaintext = insecure.NewCredentials()

func connect(t *testing.T, address string, credentials credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// filesRequest asks the fake model about image files.
func filesRequest(files ...[]byte) *inference.ModelInferRequest {
	return &inference.ModelInferRequest{ModelName: "fake", Inputs: []*inference.ModelInferRequest_InferInputTensor{{
		Name: "image", Datatype: "BYTES", Shape: []int64{int64(len(files))}, Contents: &inference.InferTensorContents{BytesContents: files},
	}}}
}

// wantStatus checks a call's error.
func wantStatus(t *testing.T, err error, code codes.Code, part string) {
	t.Helper()
	if s := status.Convert(err); s.Code() != code || !strings.Contains(s.Message(), part) {
		t.Errorf("got %v; want %v: %s", err, code, part)
	}
}

// TestGRPCMetadata: what there is to say about server and model is what REST says.
func TestGRPCMetadata(t *testing.T) {
	_, conn := startGRPC(t, &fakeModel{})
	client := inference.NewGRPCInferenceServiceClient(conn)
	if r, err := client.ServerLive(t.Context(), &inference.ServerLiveRequest{}); err != nil || !r.Live {
		t.Errorf("live: %v, %v", r, err)
	}
	if r, err := client.ServerReady(t.Context(), &inference.ServerReadyRequest{}); err != nil || !r.Ready {
		t.Errorf("ready: %v, %v", r, err)
	}
	if r, err := client.ServerMetadata(t.Context(), &inference.ServerMetadataRequest{}); err != nil || r.Name != "ascood" || r.Version != ascood.Version {
		t.Errorf("server: %v, %v", r, err)
	}
	for _, version := range []string{"", "1"} {
		if r, err := client.ModelReady(t.Context(), &inference.ModelReadyRequest{Name: "fake", Version: version}); err != nil || !r.Ready {
			t.Errorf("model, version %q: %v, %v", version, r, err)
		}
		r, err := client.ModelMetadata(t.Context(), &inference.ModelMetadataRequest{Name: "fake", Version: version})
		if err != nil {
			t.Fatal(err)
		}
		var want inference.ModelMetadataResponse // by the same names in JSON
		if err := json.Unmarshal([]byte(fakeMetadata), &want); err != nil || r.String() != want.String() {
			t.Errorf("got %v, want %v, %v", r, &want, err)
		}
	}
	_, err := client.ModelMetadata(t.Context(), &inference.ModelMetadataRequest{Name: "fake", Version: "2"})
	wantStatus(t, err, codes.NotFound, `model "fake" has no version "2"`)
	for _, name := range []string{"", "other"} {
		_, err := client.ModelMetadata(t.Context(), &inference.ModelMetadataRequest{Name: name})
		wantStatus(t, err, codes.NotFound, "no such model")
		_, err = client.ModelReady(t.Context(), &inference.ModelReadyRequest{Name: name})
		wantStatus(t, err, codes.NotFound, "no such model")
		_, err = client.ModelInfer(t.Context(), &inference.ModelInferRequest{ModelName: name})
		wantStatus(t, err, codes.NotFound, "no such model")
	}
}

// TestGRPCInfer: files and pixels, raw and not, get what the same request gets over REST,
// for all outputs and for those that are named.
func TestGRPCInfer(t *testing.T) {
	s, conn := startGRPC(t, &fakeModel{})
	client := inference.NewGRPCInferenceServiceClient(conn)
	white, black := grayPNG(t, 255), grayPNG(t, 0)
	pixels := make([]byte, 2*side*side*3)
	numbers := make([]uint32, len(pixels))
	for i := range len(pixels) / 2 {
		pixels[i], numbers[i] = 255, 255
	}
	image := func() *inference.ModelInferRequest_InferInputTensor {
		return &inference.ModelInferRequest_InferInputTensor{Name: "image", Datatype: "BYTES", Shape: []int64{2}}
	}
	crops := func() *inference.ModelInferRequest_InferInputTensor {
		return &inference.ModelInferRequest_InferInputTensor{Name: "pixels", Datatype: "UINT8", Shape: []int64{2, side, side, 3}}
	}
	for name, tt := range map[string]struct {
		input    *inference.ModelInferRequest_InferInputTensor
		contents *inference.InferTensorContents
		raw      []byte
	}{
		"files":       {image(), &inference.InferTensorContents{BytesContents: [][]byte{white, black}}, nil},
		"raw files":   {image(), nil, []byte(files(white, black))},
		"numbers":     {crops(), &inference.InferTensorContents{UintContents: numbers}, nil},
		"raw numbers": {crops(), nil, pixels},
	} {
		for _, outputs := range [][]string{nil, {"verdict"}, {"iodin_index", "verdict", "logits", "p_value"}} {
			tt.input.Contents = tt.contents
			r := &inference.ModelInferRequest{ModelName: "fake", Id: "a", Inputs: []*inference.ModelInferRequest_InferInputTensor{tt.input}}
			if tt.raw != nil {
				r.RawInputContents = [][]byte{tt.raw}
			}
			for _, o := range outputs {
				r.Outputs = append(r.Outputs, &inference.ModelInferRequest_InferRequestedOutputTensor{Name: o})
			}
			got, err := client.ModelInfer(t.Context(), r)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got.ModelName != "fake" || got.ModelVersion != "1" || got.Id != "a" || (len(got.RawOutputContents) > 0) != (tt.raw != nil) {
				t.Errorf("%s: %v", name, got)
			}
			if want := overREST(t, s, white, black, outputs); !reflect.DeepEqual(values(t, got), want) {
				t.Errorf("%s: got %v, want %v", name, values(t, got), want)
			}
		}
	}
	wantNothingHeld(t, s)
	if n := metric(t, s, `ascood_grpc_request_seconds_count{code="OK",method="/inference.GRPCInferenceService/ModelInfer"}`); n != "12" {
		t.Errorf("%s calls are counted", n)
	}
}

// tensor is an output, whatever it was sent as.
type tensor struct {
	Name, Datatype string
	Shape          []int64
	Data           []string
}

// overREST asks for the outputs in JSON.
func overREST(t *testing.T, s *Server, white, black []byte, outputs []string) []tensor {
	t.Helper()
	var names []map[string]string
	for _, o := range outputs {
		names = append(names, map[string]string{"name": o})
	}
	body, err := json.Marshal(map[string]any{
		"inputs": []any{map[string]any{"name": "image", "datatype": "BYTES", "shape": []int{2}, "data": [][]byte{white, black}}}, "outputs": append([]map[string]string{}, names...),
	})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Outputs []struct {
			Name, Datatype string
			Shape          []int64
			Data           []any
		}
	}
	if w := do(s, inferRequest(string(body), "")); json.Unmarshal(w.Body.Bytes(), &answer) != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var all []tensor
	for _, o := range answer.Outputs {
		one := tensor{Name: o.Name, Datatype: o.Datatype, Shape: o.Shape}
		for _, v := range o.Data {
			one.Data = append(one.Data, fmt.Sprint(v))
		}
		all = append(all, one)
	}
	return all
}

// values reads the outputs, raw ones by the layout that clients expect.
func values(t *testing.T, m *inference.ModelInferResponse) []tensor {
	t.Helper()
	var all []tensor
	for i, o := range m.Outputs {
		one := tensor{Name: o.Name, Datatype: o.Datatype, Shape: o.Shape}
		add := func(v any) { one.Data = append(one.Data, fmt.Sprint(v)) }
		if len(m.RawOutputContents) > 0 {
			for raw := m.RawOutputContents[i]; len(raw) > 0; {
				switch o.Datatype {
				case "BYTES":
					n := 4 + binary.LittleEndian.Uint32(raw)
					add(string(raw[4:n]))
					raw = raw[n:]
				case "FP32":
					add(math.Float32frombits(binary.LittleEndian.Uint32(raw)))
					raw = raw[4:]
				case "FP64":
					add(math.Float64frombits(binary.LittleEndian.Uint64(raw)))
					raw = raw[8:]
				case "INT64":
					add(binary.LittleEndian.Uint64(raw))
					raw = raw[8:]
				}
			}
		}
		for _, v := range o.Contents.GetBytesContents() {
			add(string(v))
		}
		for _, v := range o.Contents.GetFp32Contents() {
			add(v)
		}
		for _, v := range o.Contents.GetFp64Contents() {
			add(v)
		}
		for _, v := range o.Contents.GetInt64Contents() {
			add(v)
		}
		all = append(all, one)
	}
	return all
}

// wire is a codec that leaves messages as they are.
type wire struct{}

func (wire) Name() string { return "proto" }

func (wire) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (wire) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// TestGRPCRecorded: the bytes of a request as Triton's client library for Python writes it,
// and of its answer: strings after their field's tag and their length.
func TestGRPCRecorded(t *testing.T) {
	_, conn := startGRPC(t, &fakeModel{})
	pixels := strings.Repeat("\xff", side*side*3)
	request := []byte("\x0a\x04fake" + // model_name
		"\x1a\x011" + // id
		"\x2a\x15" + // inputs
		"\x0a\x06pixels" + "\x12\x05UINT8" + "\x1a\x04\x01\x08\x08\x03" + // name, datatype, shape (packed)
		"\x32\x0d" + "\x0a\x0bprobability" + // outputs
		"\x32\x09" + "\x0a\x07verdict" +
		"\x3a\xc0\x01" + pixels) // raw_input_contents
	want := "\x0a\x04fake" + "\x12\x011" + "\x1a\x011" +
		"\x2a\x16" + "\x0a\x0bprobability" + "\x12\x04FP64" + "\x1a\x01\x01" +
		"\x2a\x13" + "\x0a\x07verdict" + "\x12\x05BYTES" + "\x1a\x01\x01" +
		"\x32\x08" + "\x00\x00\x00\x00\x00\x00\xe8\x3f" + // 0.75
		"\x32\x13" + "\x0f\x00\x00\x00in_distribution"
	var answer []byte
	if err := conn.Invoke(t.Context(), "/inference.GRPCInferenceService/ModelInfer", &request, &answer, grpc.ForceCodecV2(wire{})); err != nil || string(answer) != want {
		t.Errorf("got %q, %v\nwant %q", answer, err, want)
	}
	garbage := []byte("\x2a\xff")
	err := conn.Invoke(t.Context(), "/inference.GRPCInferenceService/ModelInfer", &garbage, &answer, grpc.ForceCodecV2(wire{}))
	wantStatus(t, err, codes.Internal, "unmarshal")
}

// published are the numbers of the fields in the protocol's own file.
var published = map[string]string{
	"ServerLiveRequest": "", "ServerLiveResponse": "live=1", "ServerReadyRequest": "", "ServerReadyResponse": "ready=1",
	"ModelReadyRequest": "name=1 version=2", "ModelReadyResponse": "ready=1", "ServerMetadataRequest": "",
	"ServerMetadataResponse": "name=1 version=2 extensions=3", "ModelMetadataRequest": "name=1 version=2",
	"ModelMetadataResponse":                        "name=1 versions=2 platform=3 inputs=4 outputs=5",
	"ModelMetadataResponse.TensorMetadata":         "name=1 datatype=2 shape=3",
	"ModelInferRequest":                            "model_name=1 model_version=2 id=3 parameters=4 inputs=5 outputs=6 raw_input_contents=7",
	"ModelInferRequest.InferInputTensor":           "name=1 datatype=2 shape=3 parameters=4 contents=5",
	"ModelInferRequest.InferRequestedOutputTensor": "name=1 parameters=2",
	"ModelInferResponse":                           "model_name=1 model_version=2 id=3 parameters=4 outputs=5 raw_output_contents=6",
	"ModelInferResponse.InferOutputTensor":         "name=1 datatype=2 shape=3 parameters=4 contents=5",
	"InferParameter":                               "bool_param=1 int64_param=2 string_param=3 double_param=4 uint64_param=5",
	"InferTensorContents":                          "bool_contents=1 int_contents=2 int64_contents=3 uint_contents=4 uint64_contents=5 fp32_contents=6 fp64_contents=7 bytes_contents=8",
}

func TestGRPCRefuses(t *testing.T) {
	s, conn := startGRPC(t, &fakeModel{}, func(c *Config) { c.MaxImages, c.MaxBody = 2, 1<<20 })
	client := inference.NewGRPCInferenceServiceClient(conn)
	image := grayPNG(t, 255)
	shared := map[string]*inference.InferParameter{"shared_memory_region": {ParameterChoice: &inference.InferParameter_StringParam{StringParam: "a"}}}
	change := func(f func(*inference.ModelInferRequest)) *inference.ModelInferRequest {
		r := filesRequest(image)
		f(r)
		return r
	}
	numbers := func(n int, v uint32) *inference.ModelInferRequest {
		return &inference.ModelInferRequest{ModelName: "fake", Inputs: []*inference.ModelInferRequest_InferInputTensor{{
			Name: "pixels", Datatype: "UINT8", Shape: []int64{1, side, side, 3},
			Contents: &inference.InferTensorContents{UintContents: append(make([]uint32, n-1), v)},
		}}}
	}
	const all = side * side * 3
	for _, tt := range []struct {
		request *inference.ModelInferRequest
		code    codes.Code
		want    string
	}{
		{&inference.ModelInferRequest{ModelName: "fake"}, codes.InvalidArgument, `0 inputs: want one, "image" or "pixels"`},
		{filesRequest([]byte("text")), codes.InvalidArgument, "not an image in a known format"},
		{filesRequest(image, []byte("text")), codes.InvalidArgument, "image 1: not an image in a known format"},
		{filesRequest(hugePNG()), codes.ResourceExhausted, "image of 50000x50000 pixels"},
		{filesRequest(image, image, image), codes.ResourceExhausted, "has 3 images, more than 2"},
		{filesRequest(), codes.InvalidArgument, "has 0 images"},
		{numbers(all-1, 0), codes.InvalidArgument, `input "pixels": 191 elements in uint_contents; the shape [1 8 8 3] has 192`},
		{numbers(all, 256), codes.InvalidArgument, `input "pixels": element 191 is 256: UINT8 goes to 255`},
		{change(func(r *inference.ModelInferRequest) { r.ModelVersion = "2" }), codes.NotFound, `has no version "2"`},
		{change(func(r *inference.ModelInferRequest) { r.Inputs[0].Name = "x" }), codes.InvalidArgument, `unknown input "x"`},
		{change(func(r *inference.ModelInferRequest) { r.Inputs[0].Datatype = "FP32" }), codes.InvalidArgument, `input "image" is of type "FP32"`},
		{change(func(r *inference.ModelInferRequest) { r.Inputs[0].Shape = []int64{-1} }), codes.InvalidArgument, "the shape [-1] is impossible"},
		{change(func(r *inference.ModelInferRequest) { r.Inputs[0].Shape = []int64{1 << 40} }), codes.InvalidArgument, "is impossible"},
		{change(func(r *inference.ModelInferRequest) { r.Inputs[0].Contents = nil }), codes.InvalidArgument, "0 elements in bytes_contents; the shape [1] has 1"},
		{change(func(r *inference.ModelInferRequest) { r.RawInputContents = [][]byte{{}} }), codes.InvalidArgument, "it has data in contents and in raw_input_contents"},
		{change(func(r *inference.ModelInferRequest) { r.RawInputContents = [][]byte{{}, {}} }), codes.InvalidArgument, "raw_input_contents has 2 elements for 1 inputs"},
		{change(func(r *inference.ModelInferRequest) {
			r.Inputs[0].Contents, r.RawInputContents = nil, [][]byte{[]byte("\xff\xff\xff\xffa")}
		}), codes.InvalidArgument, "the data ends within element 0 of 1"},
		{change(func(r *inference.ModelInferRequest) { r.Inputs[0].Parameters = shared }), codes.InvalidArgument, "shared memory is not supported"},
		{change(func(r *inference.ModelInferRequest) {
			r.Outputs = []*inference.ModelInferRequest_InferRequestedOutputTensor{{Name: "verdict", Parameters: shared}}
		}), codes.InvalidArgument, "shared memory is not supported"},
		{change(func(r *inference.ModelInferRequest) {
			r.Outputs = []*inference.ModelInferRequest_InferRequestedOutputTensor{{Name: "odin"}}
		}), codes.InvalidArgument, `unknown output "odin": model fake has verdict`},
		{filesRequest(make([]byte, 1<<20)), codes.ResourceExhausted, "the request is larger than the limit of 1048576 bytes"},
	} {
		_, err := client.ModelInfer(t.Context(), tt.request)
		wantStatus(t, err, tt.code, tt.want)
	}
	err := conn.Invoke(t.Context(), "/inference.GRPCInferenceService/ModelTrain", filesRequest(), &inference.ModelInferResponse{})
	wantStatus(t, err, codes.Unimplemented, "unknown method ModelTrain")
	wantNothingHeld(t, s)
}

// TestGRPCStatuses: all codes have one, and docs/http-api.md has them.
func TestGRPCStatuses(t *testing.T) {
	page, err := os.ReadFile("../docs/http-api.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[ascood.Code]codes.Code{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| (`[a-z_`, ]+)[;|]").FindAllStringSubmatch(string(page), -1) {
		var status codes.Code
		if err := status.UnmarshalJSON([]byte(strconv.Quote(row[1]))); err != nil {
			t.Fatal(err)
		}
		for code := range strings.SplitSeq(strings.TrimSpace(row[2]), ", ") {
			documented[ascood.Code(strings.Trim(code, "`"))] = status
		}
	}
	if !maps.Equal(documented, grpcCodes) {
		t.Errorf("docs/http-api.md has %v, the code %v", documented, grpcCodes)
	}
	for code := range statuses {
		if _, ok := grpcCodes[code]; !ok {
			t.Errorf("%s has no status", code)
		}
	}
	if got := grpcCode(ascood.Errorf("unheard of", "an error")); got != codes.Internal {
		t.Errorf("another code has status %v", got)
	}
}

// TestGRPCFields: the numbers are those that are published.
func TestGRPCFields(t *testing.T) {
	file := inference.File_inference_proto
	var check func(prefix string, messages protoreflect.MessageDescriptors)
	seen := 0
	check = func(prefix string, messages protoreflect.MessageDescriptors) {
		for i := range messages.Len() {
			m := messages.Get(i)
			if m.IsMapEntry() {
				continue
			}
			seen++
			name := prefix + string(m.Name())
			var fields []string
			for i := range m.Fields().Len() {
				f := m.Fields().Get(i)
				fields = append(fields, fmt.Sprintf("%s=%d", f.Name(), f.Number()))
			}
			if got, want := strings.Join(fields, " "), published[name]; got != want {
				t.Errorf("%s has %s, want %s", name, got, want)
			}
			check(name+".", m.Messages())
		}
	}
	check("", file.Messages())
	if seen != len(published) || file.Package() != "inference" {
		t.Errorf("%d messages in %s", seen, file.Package())
	}
}
