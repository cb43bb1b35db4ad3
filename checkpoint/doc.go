// Package checkpoint reads and writes the weights of networks.
//
// The project's own format is safetensors: the tensors of the model under
// PyTorch's state-dict names, those that only training needs under the prefix
// "training.", and what the file says about itself as JSON strings in the
// header's __metadata__, under keys that Meta documents.
//
// Open also reads files that PyTorch's torch.save wrote, with whatever lies in them
// beside the weights. No code in a file is run.
package checkpoint
