package tencent

// commands is the catalogue in the order it is shown.
var commands = []Command{
	{
		Word: "Live.CallbackBeforeSendGift", Number: 14, Group: GroupBlocking, Kind: KindBefore, Blocking: true, Document: "647/72210",
		Sample: `{"CallbackCommand":"Live.CallbackBeforeSendGift","Operator_Account":"viewer_3","RoomId":"live_7","GiftWater":{"From_Account":"viewer_3","To_Account":["host_7"],"Time":1767226020,"GiftId":"rose","Count":2,"Coins":10}}`,
	},
	{
		Word: "Live.CallbackBeforeCallBackNotBlock", Number: 15, Group: GroupBlocking, Kind: KindSetting, PolicyOf: "Live.CallbackBeforeSendGift", Document: "647/72210",
	},
	{
		Word: "Group.CallbackBeforeSendMsg", Number: 16, Group: GroupBlocking, Kind: KindBefore, Blocking: true, SharedWithChat: true, Document: "647/74347",
		Sample: `{"CallbackCommand":"Group.CallbackBeforeSendMsg","GroupId":"live_7","Type":"Live","From_Account":"viewer_3","Operator_Account":"viewer_3","Random":918273,"MsgId":"144115233406643804-1767226030-4026038328","MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hello"}}],"CloudCustomData":"","EventTime":"1767226030000"}`,
	},
	{
		Word: "Live.CallbackAfterCreateRoom", Number: 1, Group: GroupRoom, Kind: KindAfter, Document: "647/64422",
		Sample: `{"CallbackCommand":"Live.CallbackAfterCreateRoom","Operator_Account":"host_7","RoomInfo":{"RoomId":"live_7","RoomName":"Evening show","RoomType":"Live","Owner_Account":"host_7","MaxMemberCount":500,"IsMessageDisabled":false,"CustomInfo":"","IsSeatEnabled":true,"TakeSeatMode":"ApplyToTake","MaxSeatCount":9,"CreateTime":1767225600,"IsPublicVisible":true,"CoverURL":"https://img.example.test/7.png","Category":[1]},"EventTime":1767225600123}`,
	},
	{
		Word: "Live.CallbackAfterDestroyRoom", Number: 2, Group: GroupRoom, Kind: KindAfter, Document: "647/64423",
		Sample: `{"CallbackCommand":"Live.CallbackAfterDestroyRoom","Operator_Account":"host_7","RoomId":"live_7","EventType":"DestroyByUser","EventTime":1767229200000,"RoomInfo":{"RoomName":"Evening show","RoomType":"Live","Owner_Account":"host_7","IsSeatEnabled":true,"TakeSeatMode":"ApplyToTake","MaxMemberCount":500,"MaxSeatCount":9,"Category":[1],"CustomInfo":"","IsMessageDisabled":false,"CoverURL":"","ActivityStatus":0,"IsPublicVisible":true,"ViewCount":42,"BackgroundURL":"","IsUnlimitedRoomEnabled":true},"Statistic":{"TotalViewers":42,"TotalGiftsSent":3,"TotalGiftCoins":30,"TotalUniqueGiftSenders":2,"TotalLikesReceived":120}}`,
	},
	{
		Word: "Live.CallbackAfterUpdateRoomInfo", Number: 3, Group: GroupRoom, Kind: KindAfter, Document: "647/67938",
		Sample: `{"CallbackCommand":"Live.CallbackAfterUpdateRoomInfo","Operator_Account":"host_7","RoomInfo":{"RoomId":"live_7","RoomName":"Evening show 2","MaxMemberCount":500,"IsMessageDisabled":true,"CoverURL":"","Category":[1,2],"ActivityStatus":1,"IsPublicVisible":true,"TakeSeatMode":"FreeToTake","CustomInfo":"v2"},"EventTime":1767226000000}`,
	},
	{
		Word: "Live.CallbackAfterSetMetadata", Number: 4, Group: GroupRoom, Kind: KindAfter, Document: "647/68222",
		Sample: `{"CallbackCommand":"Live.CallbackAfterSetMetadata","Operator_Account":"admin_1","RoomId":"live_7","Metadata":[{"Key":"mood","Value":"calm"}],"EventTime":1767226001000}`,
	},
	{
		Word: "Live.CallbackAfterDelMetadata", Number: 5, Group: GroupRoom, Kind: KindAfter, Document: "647/68223",
		Sample: `{"CallbackCommand":"Live.CallbackAfterDelMetadata","Operator_Account":"admin_1","RoomId":"live_7","Keys":["mood"],"EventTime":1767226002000}`,
	},
	{
		Word: "Live.CallbackAfterCreateRoomReachingThreshold", Number: 6, Group: GroupRoom, Kind: KindAfter, Document: "647/70485",
		Sample: `{"CallbackCommand":"Live.CallbackAfterCreateRoomReachingThreshold","Operator_Account":"host_9","EventTime":1767226003000,"CurRoomCount":350,"MaxRoomCount":500}`,
	},
	{
		Word: "Live.CallbackAfterCloudRecordingChanged", Number: 20, Group: GroupRoom, Kind: KindAfter, PrefixDoubt: true, Document: "647/78428",
		Sample: `{"CallbackCommand":"Live.CallbackAfterCloudRecordingChanged","EventGroupId":3,"EventType":301,"CallbackTs":1767226050123,"EventInfo":{"RoomId":"live_7","EventTs":1767226050,"EventMsTs":1767226050100,"UserId":"rec_robot","TaskId":"demo-task","Payload":{"Status":0}}}`,
	},
	{
		Word: "Live.CallbackAfterMemberStateChanged", Number: 7, Group: GroupMembers, Kind: KindAfter, Document: "647/64424",
		Sample: `{"CallbackCommand":"Live.CallbackAfterMemberStateChanged","RoomId":"live_7","EventType":"Offline","EventCause":"HeartbeatInterrupt","MemberList":[{"Member_Account":"viewer_3"}],"EventTime":1767226004000}`,
	},
	{
		Word: "Live.CallbackAfterChangeOwner", Number: 8, Group: GroupMembers, Kind: KindAfter, Document: "647/72553",
		Sample: `{"CallbackCommand":"Live.CallbackAfterChangeOwner","RoomId":"live_7","EventTime":1767226005000,"Operator_Account":"admin_1","CurrentOwner_Account":"host_8","OriginalOwner_Account":"host_7"}`,
	},
	{
		Word: "Live.CallbackAfterModifyAdmin", Number: 9, Group: GroupMembers, Kind: KindAfter, Document: "647/72554",
		Sample: `{"CallbackCommand":"Live.CallbackAfterModifyAdmin","RoomId":"live_7","EventTime":1767226006000,"Operator_Account":"host_7","Admin_Account":["mod_1","mod_2"],"opType":"add"}`,
	},
	{
		Word: "Mic.CallbackAfterSeatInfoChanged", Number: 10, Group: GroupSeats, Kind: KindAfter, Document: "647/64425",
		Sample: `{"CallbackCommand":"Mic.CallbackAfterSeatInfoChanged","RoomId":"live_7","SeatList":[{"Index":1,"Member_Account":"guest_2","IsTakenDisabled":false,"IsVideoDisabled":false,"IsAudioDisabled":true},{"Index":2,"IsTakenDisabled":true,"IsVideoDisabled":false,"IsAudioDisabled":false}],"EventTime":1767226007000}`,
	},
	{
		Word: "Live.CallbackAfterCreateBattle", Number: 11, Group: GroupSeats, Kind: KindAfter, Document: "647/68259",
		Sample: `{"CallbackCommand":"Live.CallbackAfterCreateBattle","Operator_Account":"host_7","BattleId":"YmF0dGxlLTE=","FromRoomId":"live_7","ToRoomIdList":["live_8"],"Timeout":30000,"Duration":60000,"NeedResponse":true,"ExtensionInfo":"","EventTime":1767226008000}`,
	},
	{
		Word: "Live.CallbackAfterStartBattle", Number: 12, Group: GroupSeats, Kind: KindAfter, Document: "647/68260",
		Sample: `{"CallbackCommand":"Live.CallbackAfterStartBattle","BattleId":"YmF0dGxlLTE=","Duration":60000,"CreateTime":1767226008,"StartTime":1767226010,"FromRoomInfo":{"RoomId":"live_7","Owner_Account":"host_7"},"ToRoomList":[{"RoomId":"live_8","Owner_Account":"host_8"}],"EventTime":1767226010100}`,
	},
	{
		Word: "Live.CallbackAfterEndBattle", Number: 13, Group: GroupSeats, Kind: KindAfter, Document: "647/68261",
		Sample: `{"CallbackCommand":"Live.CallbackAfterEndBattle","BattleId":"YmF0dGxlLTE=","Duration":60000,"CreateTime":1767226008,"StartTime":1767226010,"EndTime":1767226070,"OpType":0,"FromRoomInfo":{"RoomId":"live_7","Score":12,"Owner_Account":"host_7"},"ToRoomList":[{"RoomId":"live_8","Score":9,"Owner_Account":"host_8"}],"EventTime":1767226070100}`,
	},
	{
		Word: "Group.CallbackAfterSendMsg", Number: 17, Group: GroupShared, Kind: KindAfter, SharedWithChat: true, Document: "647/74348",
		Sample: `{"CallbackCommand":"Group.CallbackAfterSendMsg","GroupId":"live_7","Type":"Live","From_Account":"viewer_3","Operator_Account":"viewer_3","Random":918273,"MsgId":"144115233406643804-1767226030-4026038328","MsgSeq":55,"MsgTime":1767226030,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hello"}}],"CloudCustomData":"","EventTime":"1767226030050"}`,
	},
	{
		Word: "Follow.CallbackAfterFollowAdd", Number: 18, Group: GroupShared, Kind: KindAfter, SharedWithChat: true, Document: "647/74356",
		Sample: `{"CallbackCommand":"Follow.CallbackAfterFollowAdd","From_Account":"viewer_3","FollowList":[{"To_Account":"host_7"}],"EventTime":1767226040000}`,
	},
	{
		Word: "Follow.CallbackAfterFollowDelete", Number: 19, Group: GroupShared, Kind: KindAfter, SharedWithChat: true, Document: "647/74357",
		Sample: `{"CallbackCommand":"Follow.CallbackAfterFollowDelete","From_Account":"viewer_3","To_Account":["host_7"],"EventTime":1767226041000}`,
	},
}
