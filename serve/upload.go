package serve

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/preprocess"
)

// fieldName is that of the form fields that hold images.
const fieldName = "image"

// upload is an image file as it came.
type upload struct {
	name string // "" if the client gave none
	data []byte
}

// readUploads reads the images of a request: the form's, or else the body itself
// is one. What kind of image it is shows in its content, never in a header.
// Nothing beyond MaxBody is read, and nothing is written to disk.
func (s *Server) readUploads(w http.ResponseWriter, r *http.Request) ([]upload, error) {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if mediaType == "multipart/form-data" {
		return s.readForm(w, r)
	}
	data, err := s.readBody(w, r)
	if err != nil {
		return nil, err
	}
	if err := checkMediaType(mediaType, data); err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "no image: the body is empty; send an image, or a multipart form with fields named %q", fieldName)
	}
	return []upload{{data: data}}, nil
}

// checkMediaType refuses bodies that no image is in, or only what a client left of
// one: curl -d leaves out zeros and the ends of lines, which every image has.
func checkMediaType(mediaType string, body []byte) error {
	const command = "send it with curl --data-binary @photo.jpg, or in a form: curl -F image=@photo.jpg"
	switch {
	case len(body) == 0:
		return nil
	case mediaType == "application/x-www-form-urlencoded" && !bytes.ContainsAny(body, "\x00\r\n"):
		return ascood.Errorf(ascood.Unsupported, "the body is a URL-encoded form, or what curl -d leaves of an image: "+command)
	case (mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")) && bytes.ContainsAny(body[:1], "{[\""):
		return ascood.Errorf(ascood.Unsupported, "the body is JSON, and what is wanted is the image itself: "+command)
	}
	return nil
}

// readBody reads a body of any kind, within the limits.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if err := s.checkBody(w, r); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, uploadError(err, r)
	}
	return data, nil
}

// checkBody refuses by its header a body that is packed or too large.
func (s *Server) checkBody(w http.ResponseWriter, r *http.Request) error {
	if err := checkEncoding(w, r); err != nil {
		return err
	}
	if r.ContentLength > s.config.MaxBody {
		return bodyTooLarge(s.config.MaxBody)
	}
	return nil
}

// checkEncoding refuses a body that would have to be unpacked: images are
// compressed already, and what is packed may be a bomb.
func checkEncoding(w http.ResponseWriter, r *http.Request) error {
	encoding := strings.Join(r.Header.Values("Content-Encoding"), ", ")
	if encoding == "" || strings.EqualFold(encoding, "identity") {
		return nil
	}
	w.Header().Set("Accept-Encoding", "identity")
	return ascood.Errorf(ascood.Unsupported, "Content-Encoding %.50q is not supported: send the image as it is", encoding)
}

func (s *Server) readForm(w http.ResponseWriter, r *http.Request) ([]upload, error) {
	if err := s.checkBody(w, r); err != nil {
		return nil, err
	}
	form, err := r.MultipartReader()
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "multipart form: %w", err)
	}
	var uploads []upload
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, uploadError(err, r)
		}
		if len(uploads) == s.config.MaxImages {
			return nil, ascood.Errorf(ascood.TooLarge, "the form has more than %d images, the limit for one request", s.config.MaxImages)
		}
		u, err := s.readPart(part, r)
		if err != nil {
			return nil, err
		}
		uploads = append(uploads, u)
	}
	// The body may go on after the form. Only when it has been read to its end does
	// net/http notice a client that leaves.
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, uploadError(err, r)
	}
	if len(uploads) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "no image: the form has no field named %q", fieldName)
	}
	return uploads, nil
}

func (s *Server) readPart(part *multipart.Part, r *http.Request) (upload, error) {
	if name := part.FormName(); name != fieldName {
		return upload{}, ascood.Errorf(ascood.Invalid, "form field %.50q: images are sent in fields named %q", name, fieldName)
	}
	data, err := io.ReadAll(part)
	if err != nil {
		return upload{}, uploadError(err, r)
	}
	if _, err := preprocess.Size(data, s.config.MaxPixels); part.FileName() == "" && ascood.CodeOf(err) == ascood.Unsupported {
		return upload{}, ascood.Errorf(ascood.Unsupported, "form field %q holds text and no file: send it with curl -F %[1]s=@photo.jpg", fieldName)
	}
	return upload{name: shorten(part.FileName()), data: data}, nil
}

// shorten keeps a made-up name from making the answer larger than the question.
func shorten(name string) string {
	const most = 255 // as in file systems
	runes := []rune(name)
	if len(runes) <= most {
		return name
	}
	return string(runes[:most-1]) + "…"
}
