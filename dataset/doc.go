// Package dataset is where images come from: folders, lists, and the files of CIFAR
// and MNIST. Open finds out which of these a path is; Batches decodes, transforms
// and gathers the images of any of them in parallel.
//
// A kind of dataset is a type with the methods of Dataset, in a file of its own,
// and what it knows besides is in the small interfaces beside Dataset. Only Open
// knows all kinds.
package dataset
