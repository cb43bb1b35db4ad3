package preprocess

// OpenFiles returns unlabelled images of the given paths, each named as given. A
// path that is no image is found when it is loaded.
func OpenFiles(paths []string) Dataset {
	f := &files{}
	for _, p := range paths {
		f.add(p, Unlabelled)
	}
	return f
}
