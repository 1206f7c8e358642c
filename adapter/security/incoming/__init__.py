"""How clients prove who they are to us: SMART Backend Services, the server's side."""
