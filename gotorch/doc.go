// Package gotorch is PyTorch's tensors and automatic differentiation in Go: a
// binding to libtorch 1.13 … 2.x, on the CPU or with CUDA. Beside it are
// gotorch/nn/functional, the operations of neural networks, and gotorch/optim,
// which updates parameters.
//
//	s := gotorch.NewScope()
//	defer s.Close()
//	x := gotorch.FromSlice(s, pixels, n, 3, 32, 32).ChannelsLast()
//	logits := F.Linear(F.ReLU(F.Conv2d(x, w1, b1, F.ConvOptions{Padding: 1})).Mean(2, 3), w2, b2)
//	loss := F.CrossEntropy(logits, gotorch.FromSlice(s, labels, n), F.Mean)
//	grads := gotorch.Grad([]gotorch.Tensor{loss}, sgd.Params(), gotorch.GradOptions{})
//	if err := sgd.Step(grads); err != nil {
//		return err
//	}
//	return s.Err()
//
// # Memory
//
// Tensors belong to a [Scope] and die when it closes. The result of an operation
// belongs to the youngest of its operands' scopes, so one scope for each training
// step is all there is to do: weights live in an older scope, whatever is
// computed from them and the step's images dies with the step. Scope.Keep takes
// a tensor to another scope. No finalizer and no garbage collection is involved.
//
// On the CPU freed memory is kept for reuse, as much as was ever in use, and in large
// pages where the kernel has them: resident memory stays what it is after the first
// steps (BenchmarkTrainingMemory), and as the kernel need not clear pages anew, a
// step is 1.3 times faster than with libtorch's own allocator.
//
// # Errors
//
// Nothing panics. The first operation that fails leaves an [OpError] in the scope
// of its result, with operands, shapes and libtorch's message; operations on its
// result, and all later ones in that scope, do nothing. Scope.Err returns it:
//
//	gotorch: conv2d(float32[8,3,32,32], float32[16,4,3,3], none, [1 1], [1 1], [1 1], 1): Given groups=1, weight of size …
//
// # Differences from PyTorch
//
// There is no .backward() and no .grad: [Grad] returns the gradients with respect
// to chosen tensors and computes no others. There is no global no-grad mode: a
// scope made with [NoGrad] records nothing. Methods that work in place end in I,
// as in AddI for add_. Options are structs or typed values: Zeros(s, shape, Int64,
// CUDA(0)). Operators without a method are reached through [Call], by the names of
// PyTorch's native_functions.yaml.
//
// # Speed on the CPU
//
// Three things make training fast. SetNumThreads: libtorch may start with one
// thread. ChannelsLast on the images, which every operation of a convolutional
// network then hands on: 1.3 times faster for a ResNet-18 of width 16
// (BenchmarkTrainingStep). ShareCores, where other work needs the same cores.
//
// # Building
//
// The C++ part is compiled by shim/build.sh to lib/libgotorch.so at the top of the
// module, against the system's libtorch or the one in the folder $LIBTORCH; a
// program built with this package runs with either. It looks for the library in
// ../lib beside itself. The tests of this package and of package train pass with
// libtorch 1.13.1 on the CPU; they did with 2.6.0 and 2.14.1 before batch_norm.cc and
// winograd.cc were there.
package gotorch
