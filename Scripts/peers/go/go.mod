module peerbench

go 1.19
