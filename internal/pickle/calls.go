package pickle

func (m *machine) global() error {
	module, err := m.line()
	if err != nil {
		return err
	}
	name, err := m.line()
	if err != nil {
		return err
	}
	return m.class(module, name)
}

func (m *machine) stackGlobal() error {
	names, err := m.popN(2)
	if err != nil {
		return err
	}
	module, ok1 := names[0].(string)
	name, ok2 := names[1].(string)
	if !ok1 || !ok2 {
		return errMalformed
	}
	return m.class(module, name)
}

// class bounds the name: a few bytes can refer to long strings again and again.
func (m *machine) class(module, name string) error {
	const most = 1000
	if len(module)+len(name) > most {
		return errMalformed
	}
	return m.push(Class(module+"."+name), costScalar)
}

// call takes a function, or a class to make an instance of, and its arguments.
func (m *machine) call() error {
	values, err := m.popN(2)
	if err != nil {
		return err
	}
	args, ok := values[1].(*List)
	if !ok {
		return errMalformed
	}
	return m.invoke(values[0], args.Items)
}

// callWithNames takes named arguments as well, as a dict, which becomes the last one.
func (m *machine) callWithNames() error {
	values, err := m.popN(3)
	if err != nil {
		return err
	}
	args, ok := values[1].(*List)
	if !ok {
		return errMalformed
	}
	return m.invoke(values[0], append(args.Items[:len(args.Items):len(args.Items)], values[2]))
}

// instance makes an object of the class that it names, as protocol 0 does.
func (m *machine) instance() error {
	if err := m.global(); err != nil {
		return err
	}
	class, err := m.pop()
	if err != nil {
		return err
	}
	args, err := m.popMark()
	if err != nil {
		return err
	}
	return m.invoke(class, args)
}

// object makes an object of the class after the mark.
func (m *machine) object() error {
	values, err := m.popMark()
	if err != nil {
		return err
	}
	if len(values) == 0 {
		return errMalformed
	}
	return m.invoke(values[0], values[1:])
}

// reconstructors make an object without running its class: of class, base and what
// the base is made of.
var reconstructors = map[string]bool{"copy_reg._reconstructor": true, "copyreg._reconstructor": true, "copyreg.__newobj__": true}

// invoke pushes what a call returns, as far as that is known without making it.
func (m *machine) invoke(function any, args []any) error {
	name := "(the result of a call)"
	if class, ok := function.(Class); ok {
		name = string(class)
	}
	if len(args) > 0 && reconstructors[name] {
		if class, ok := args[0].(Class); ok {
			name, args = string(class), args[1:]
		}
	}
	if m.Call != nil {
		if value, known, err := m.Call(name, args); known || err != nil {
			if err != nil {
				return err
			}
			return m.push(value, costContainer)
		}
	}
	return m.push(&Object{Class: name, Args: args}, costContainer)
}

// build gives an object its attributes. Other values have none that matter.
func (m *machine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	value, err := m.top()
	if err != nil {
		return err
	}
	if object, ok := value.(*Object); ok {
		object.State = state
	}
	return nil
}

func (m *machine) referenceLine() error {
	id, err := m.line()
	if err != nil {
		return err
	}
	return m.resolve(id)
}

func (m *machine) reference() error {
	id, err := m.pop()
	if err != nil {
		return err
	}
	return m.resolve(id)
}

func (m *machine) resolve(id any) error {
	if m.Persistent == nil {
		return errMalformed
	}
	value, err := m.Persistent(id)
	if err != nil {
		return err
	}
	return m.push(value, costScalar)
}
