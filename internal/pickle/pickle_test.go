package pickle

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

func list(kind string, items ...any) *List { return &List{kind, items} }

// TestRead: what the opcodes of each protocol make.
func TestRead(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		want any
	}{
		"numbers of protocol 0":   {"(I7\nL8L\nF0.5\nI01\nI00\nt.", list("tuple", 7, 8, 0.5, true, false)},
		"numbers":                 {"\x80\x02(K\x07M\x00\x01J\xff\xff\xff\xffG\x3f\xe0\x00\x00\x00\x00\x00\x00\x88\x89Nt.", list("tuple", 7, 256, -1, 0.5, true, false, nil)},
		"long of nothing":         {"\x80\x02\x8a\x00.", 0},
		"long":                    {"\x80\x02\x8a\x02\x00\xff.", -256},
		"longer than 64 bits":     {"\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.", &Object{Class: "int"}},
		"texts":                   {"(S'a'\nVb\nX\x01\x00\x00\x00cU\x01dt.", list("tuple", "a", "b", "c", "d")},
		"bytes":                   {"\x80\x05(C\x01aB\x01\x00\x00\x00b\x96\x01\x00\x00\x00\x00\x00\x00\x00ct.", list("tuple", []byte("a"), []byte("b"), []byte("c"))},
		"list":                    {"](K\x01K\x02eK\x03a.", list("list", 1, 2, 3)},
		"set":                     {"\x80\x04\x8f(K\x01\x90.", list("set", 1)},
		"frozen set of bytes":     {"\x80\x04(C\x01a\x91.", list("frozenset", []byte("a"))},
		"dict":                    {"}(K\x01K\x02uK\x03K\x04s.", &Dict{[]Entry{{1, 2}, {3, 4}}}},
		"dict of protocol 0":      {"(I1\nI2\nd.", &Dict{[]Entry{{1, 2}}}},
		"memo":                    {"\x80\x04(K\x01q\x05h\x05\x94h\x012t.", list("tuple", 1, 1, 1, 1)},
		"frame":                   {"\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00K\x01.", 1},
		"class":                   {"cos\nsystem\n.", Class("os.system")},
		"call":                    {"cos\nsystem\n(S'ls'\ntR.", &Object{Class: "os.system", Args: []any{"ls"}}},
		"call of a call's result": {"cgetattr\nx\n)R)R.", &Object{Class: "(the result of a call)"}},
		"instance of protocol 0":  {"(ios\nsystem\n.", &Object{Class: "os.system"}},
		"object of protocol 1":    {"(cos\nsystem\nK\x01o.", &Object{Class: "os.system", Args: []any{1}}},
		"attributes":              {"\x80\x02cargparse\nNamespace\n)\x81}U\x02lrK\x01sb.", &Object{Class: "argparse.Namespace", State: &Dict{[]Entry{{"lr", 1}}}}},
		"reconstructed":           {"ccopy_reg\n_reconstructor\n(ca\nB\nc__builtin__\nobject\nNtR.", &Object{Class: "a.B", Args: []any{Class("__builtin__.object"), nil}}},
		"dict of a class":         {"ca\nB\n)RK\x01K\x02s.", &Object{Class: "a.B", Entries: []Entry{{1, 2}}}},
		"list of a class":         {"ca\nB\n)RK\x01a.", &Object{Class: "a.B", Items: []any{1}}},
		"attributes of no object": {"K\x01}b.", 1},
		"named arguments":         {"\x80\x04ca\nB\n)}\x92.", &Object{Class: "a.B", Args: []any{&Dict{}}}},
		"a mark that is dropped":  {"K\x01(0.", 1},
		"names from the stack":    {"\x80\x04\x8c\x02os\x8c\x06system\x93.", Class("os.system")},
	} {
		t.Run(name, func(t *testing.T) {
			got, rest, err := Read([]byte(test.data+"rest"), Options{})
			if err != nil || string(rest) != "rest" {
				t.Fatalf("error %v, %q left", err, rest)
			}
			if !same(got, test.want) {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
		})
	}
}

// same compares values, for which no list is an empty one.
func same(a, b any) bool {
	x, ok1 := a.(*Object)
	y, ok2 := b.(*Object)
	if ok1 && ok2 && len(x.Args) == 0 && len(y.Args) == 0 {
		x.Args, y.Args = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// TestReadHostile: lengths that the data does not have, opcodes without what they
// need, and pickles of a few bytes that would fill the memory.
// TestReadHistory: a number for each step of a long training.
func TestReadHistory(t *testing.T) {
	const steps = 600_000
	data := slices.Concat([]byte("\x80\x02]("), bytes.Repeat([]byte("G\x3f\xe0\x00\x00\x00\x00\x00\x00"), steps), []byte("e."))
	value, rest, err := Read(data, Options{})
	if list, ok := value.(*List); err != nil || !ok || len(rest) != 0 || len(list.Items) != steps || list.Items[steps-1] != 0.5 {
		t.Errorf("%T, %d bytes left, %v", value, len(rest), err)
	}
}

func TestReadHostile(t *testing.T) {
	long := "X\x00\x00\x02\x00" + strings.Repeat("x", 2<<16)
	for name, test := range map[string]struct {
		data string
		code ascood.Code
	}{
		"nothing":           {"", ascood.Invalid},
		"long string":       {"\x80\x02X\xff\xff\xff\xff", ascood.Invalid},
		"huge bytes":        {"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", ascood.Invalid},
		"negative huge":     {"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff", ascood.Invalid},
		"short frame":       {"\x80\x04\x95\xff", ascood.Invalid},
		"no such opcode":    {"\x80\x02\xff.", ascood.Invalid},
		"extension":         {"\x80\x02\x82\x01.", ascood.Invalid},
		"odd items":         {"\x80\x02}(Nu.", ascood.Invalid},
		"items of a number": {"K\x01K\x02K\x03s.", ascood.Invalid},
		"list of a number":  {"K\x01K\x02a.", ascood.Invalid},
		"no stop":           {"\x80\x02N", ascood.Invalid},
		"no value":          {"\x80\x02.", ascood.Invalid},
		"no mark":           {"\x80\x02t.", ascood.Invalid},
		"below the mark":    {"\x80\x02K\x01(\x85.", ascood.Invalid},
		"no line":           {"ctorch\nFloatStorage", ascood.Invalid},
		"no arguments":      {"cos\nsystem\nK\x01R.", ascood.Invalid},
		"no class":          {"(o.", ascood.Invalid},
		"class of numbers":  {"\x80\x04K\x01K\x02\x93.", ascood.Invalid},
		"bare reference":    {"\x80\x02NQ.", ascood.Invalid},
		"not in the memo":   {"h\x07.", ascood.Invalid},
		"words as a number": {"Fx\n.", ascood.Invalid},
		"open quote":        {"S'x\n.", ascood.Invalid},
		"long class name":   {long + "q\x00h\x00\x93.", ascood.Invalid},
		"marks":             {strings.Repeat("(", maxValues+1), ascood.TooLarge},
		"lists":             {strings.Repeat("]", maxValues), ascood.TooLarge},
		"copies":            {"K\x01" + strings.Repeat("2", maxValues), ascood.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			if value, _, err := Read([]byte(test.data), Options{}); ascood.CodeOf(err) != test.code {
				t.Errorf("got %v and error %v, want one of code %s", value, err, test.code)
			}
		})
	}
}

// TestEntries: the dict that Python 2 wrote as a call.
func TestEntries(t *testing.T) {
	want := []Entry{{"a", 1}, {"b", 2}}
	for name, value := range map[string]any{
		"dict":     &Dict{want},
		"subclass": &Object{Class: "a.Dict", Entries: want},
		"Python 2": &Object{Class: "collections.OrderedDict", Args: []any{list("list", list("list", "a", 1), list("list", "b", 2))}},
	} {
		if got, ok := Entries(value); !ok || !reflect.DeepEqual(got, want) || Get(value, "b") != 2 {
			t.Errorf("%s: got %v, %v", name, got, ok)
		}
	}
	if _, ok := Entries(&Object{Class: "a.B"}); ok {
		t.Error("an object is no dict")
	}
	if got := Get(&Dict{append(want, Entry{"a", 3})}, "a"); got != 3 {
		t.Errorf("of equal keys the last one counts, got %v", got)
	}
}
