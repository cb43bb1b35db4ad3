package models

import "fmt"

// imageSizes are the sides of the images, in pixels, that the architectures were made
// for.
var imageSizes = map[string]int{"lenet": 28, "resnet18_32x32": 32, "resnet18_224x224": 224, "resnet50": 224}

// OddSize says what is odd about images of size x size pixels for an architecture, ""
// if nothing is. It works on any size; but on far smaller images than it was made for
// little is left of them in its last maps, and on far larger ones each of its features
// sees a small part.
func OddSize(arch string, size int) string {
	const much = 3
	made := imageSizes[arch]
	switch {
	case made == 0:
		return ""
	case size*much <= made:
		return fmt.Sprintf("%s was made for images of %d pixels; at %d little is left of them in its last maps", arch, made, size)
	case size >= made*much:
		return fmt.Sprintf("%s was made for images of %d pixels; at %d each of its features sees a small part of them", arch, made, size)
	}
	return ""
}
