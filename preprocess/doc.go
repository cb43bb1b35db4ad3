// Package preprocess turns image files into the uint8 crops that networks see.
// Training, evaluation and serving share this one path, so that a picture gives
// the same crop wherever it is met.
//
// Decode makes an image of a file, and Config.Crop makes the crop of that. The
// arithmetic is that of PIL and torchvision, with which the published networks were
// trained; normalisation is left to the network's graph. Where images come from is
// the business of package dataset.
package preprocess
