module drivebay/tests/csi/old

go 1.26.0
